"""What the error log says of a tunnel's end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.memory_stream import memory_pair
from kit.proxy_site import LISTENING, cycle_of, make_request
from upwire.net.relay import Cause, Relay, RelayEnd, Side
from upwire.proxy.request import UpstreamTry
from upwire.proxy.tunnel import Tunnel


def log_of(end: RelayEnd, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the error log of a tunnel whose relay ended so."""

    async def run_relay(relay: Relay) -> RelayEnd:
        return end

    async def run() -> None:
        with cycle_of(LISTENING.format(directives=""), folder) as cycle:
            (_, downstream), (upstream, _) = memory_pair(), memory_pair()
            tunnel = Tunnel(downstream, upstream, make_request(cycle))
            await tunnel.run(UpstreamTry("backend", 0.0))

    monkeypatch.setattr(Relay, "run", run_relay)
    asyncio.run(run())
    return (folder / "error.log").read_text()


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (RelayEnd(Cause.TOO_BIG, Side.DOWNSTREAM), "client sent a message that is too big while"),
        (RelayEnd(Cause.TOO_BIG, Side.UPSTREAM), "upstream sent a message that is too big while"),
        (RelayEnd(Cause.LOST, Side.UPSTREAM), "upstream connection lost while"),
        (RelayEnd(Cause.IDLE), "(110: Connection timed out) while"),
    ],
)
def test_an_end_is_explained(
    end: RelayEnd, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert f"{text} proxying upgraded connection" in log_of(end, tmp_path, monkeypatch)


def test_an_orderly_end_is_not_logged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert log_of(RelayEnd(Cause.ENDED, Side.UPSTREAM), tmp_path, monkeypatch) == ""
