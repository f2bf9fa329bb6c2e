"""What the error log says of a tunnel's end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.memory_stream import memory_pair
from kit.proxy_site import LISTENING, cycle_of, make_request
from upwire.conf.model import Peer
from upwire.net.relay import Cause, Relay, RelayEnd, Side
from upwire.net.stream import Stream
from upwire.proxy.request import UpstreamTry
from upwire.proxy.tunnel import Tunnel
from upwire.proxy.upstream import PeerAddress, PeerState


def log_of(end: RelayEnd, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the lines of the error log of a tunnel whose relay ended so."""

    def start(relay: Relay, one: Stream, two: Stream, owner: Tunnel) -> None:
        owner.relay_ended(end)

    async def run() -> None:
        with cycle_of(LISTENING.format(directives=""), folder) as cycle:
            (_, downstream), (upstream, _) = memory_pair(), memory_pair()
            request = make_request(cycle)
            request.tries.append(UpstreamTry("backend", 0.0))
            peer = PeerState(Peer("backend", 80, request.server.position), PeerAddress("b", 80))
            peer.connections = 1
            Tunnel(request).start(downstream, upstream, peer)
            assert peer.connections == 0
            assert cycle.counters.active == cycle.counters.in_flight == 0
            assert not cycle.counters.tunnels_open

    monkeypatch.setattr(Relay, "start", start)
    asyncio.run(run())
    return (folder / "error.log").read_text().splitlines()


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
    line, _ = log_of(end, tmp_path, monkeypatch)
    assert f"{text} proxying upgraded connection" in line
    assert ', client: 10.1.2.3, server: , request: "GET / HTTP/1.1", upstream: "' in line


@pytest.mark.parametrize(
    ("end", "text"),
    [
        (RelayEnd(Cause.ENDED, Side.UPSTREAM), "ended by upstream, first Close from nobody, "),
        (
            RelayEnd(Cause.ENDED, Side.DOWNSTREAM, closer=Side.UPSTREAM),
            "ended by client, first Close from upstream, ",
        ),
        (
            RelayEnd(Cause.ENDED, Side.DOWNSTREAM, is_truncated=True),
            "ended by client without a closure alert, first Close from nobody, ",
        ),
        (RelayEnd(Cause.CUT), "ended by cut, first Close from nobody, "),
    ],
)
def test_an_orderly_end_is_told_at_info(
    end: RelayEnd, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = log_of(end, tmp_path, monkeypatch)
    assert "[info]" in line
    assert f"tunnel {text}client sent 0 messages, 0 control frames, 0 octets, no Close, " in line
