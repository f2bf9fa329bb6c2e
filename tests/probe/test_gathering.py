"""The steps of a probe, against servers of many kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.backend import Script, backend, say, say_and_close
from kit.certificates import make_certificates
from kit.echo_server import echo_server
from upwire.errors import ConnectError, LocalProtocolError
from upwire.net.tls import server_context
from upwire.probe.cases import VARIANTS
from upwire.probe.echo_backend import echo_backend
from upwire.probe.evidence import Evidence
from upwire.probe.gathering import Step, gather
from upwire.probe.hops import Budget
from upwire.probe.options import ProbeOptions
from upwire.probe.received import Received, encode
from upwire.wire.http1 import RequestHead

BUSY = b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

TOLD = encode(Received(RequestHead("GET", "/ws", (1, 0)))).encode()
OURS = b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: %d\r\n\r\n%b" % (len(TOLD), TOLD)


async def probe(url: str, **given: Any) -> tuple[Evidence, list[Step]]:
    steps: list[Step] = []
    options = ProbeOptions(url=url, **({"parallel": 1, "timeout": 2.0} | given))
    async with asyncio.timeout(20):
        evidence = await gather(options, Budget(options.connections_max), steps.append)
    return evidence, steps


def at(script: Script, path: str = "/ws", **given: Any) -> tuple[Evidence, list[Step]]:
    async def main() -> tuple[Evidence, list[Step]]:
        async with backend(script, []) as port:
            return await probe(f"ws://127.0.0.1:{port}{path}", **given)

    return asyncio.run(main())


def at_ours(give: Callable[[int], dict[str, Any]]) -> tuple[Evidence, list[Step]]:
    async def main() -> tuple[Evidence, list[Step]]:
        async with echo_backend("127.0.0.1", 0) as port:
            return await probe(f"ws://127.0.0.1:{port}/ws", **give(port))

    return asyncio.run(main())


def test_all_is_asked_of_a_backend_of_ours() -> None:
    evidence, steps = at_ours(
        lambda port: {
            "backend": f"127.0.0.1:{port}",
            "via": (f"127.0.0.1:{port}",),
            "parallel": 2,
            "idle": 0.05,
        }
    )
    assert {case.name for case in VARIANTS} | {"handshake", "big-answer"} == set(evidence.front)
    assert evidence.is_direct_open
    assert [answer.is_open for _, answer in evidence.via] == [True]
    assert len(evidence.parallel.openings) == 2
    assert evidence.talk.outlives_half_close
    assert evidence.idle is not None
    assert [step.title for step in steps][:5] == ["DNS", "TCP", "handshake", "ping", "text"]


def test_what_tells_causes_apart_is_asked_when_it_fails() -> None:
    evidence, _ = at(say(BUSY % b"404 Not Found"), "/a/feed.json")
    assert evidence.front["without-extension"].request.target == "/a/feed"
    evidence, _ = at(say(BUSY % b"403 Forbidden"))
    assert evidence.front["portless-origin"].request.headers.get("Origin") == "http://127.0.0.1"


def test_a_refusal_of_ours_is_compared_with_the_root() -> None:
    evidence, _ = at_ours(lambda _: {"subprotocol": ("a",), "header": ("Content-Length: 0",)})
    assert evidence.base.is_open
    evidence, _ = at(say(OURS))
    assert evidence.front["root"].request.target == "/"


def test_no_answer_is_asked_again_behind_a_proxy_header() -> None:
    evidence, steps = at(say_and_close(b""))
    assert set(evidence.front) == {"handshake", "plain", "proxy-protocol"}
    assert any(step.title == "handshake" and step.is_right is False for step in steps)


@pytest.mark.parametrize(
    ("octets", "title"), [(b"\xff\xff", "messages"), (b"\x88\x00", "ping"), (b"", "ping")]
)
def test_what_an_open_one_says_may_be_anything(octets: bytes, title: str) -> None:
    evidence, steps = at(say_and_close(SWITCH + octets))
    assert evidence.base.is_open
    assert [step.is_right for step in steps if step.title == title] in ([False], [])
    assert evidence.talk.echoes_text is False


def test_handshakes_that_are_refused_at_once_are_tried_again() -> None:
    left = [1]

    async def script(octets: bytes, _: object, writer: asyncio.StreamWriter) -> None:
        if octets.startswith(b"GET /ws HTTP/1.1") and left and left.pop():
            writer.write(SWITCH)
        else:
            writer.write(BUSY % b"503 Busy")
        writer.close()

    evidence, steps = at(script, parallel=2, idle=0.05)
    assert evidence.parallel.again is not None
    assert evidence.parallel.again.status == 503
    assert [step.detail for step in steps if step.title == "idle"][-1] == "not opened"


def test_tls_is_looked_at_and_gone_through(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    with echo_server(server_context(files.certificate_file, files.key_file)) as port:
        evidence, steps = asyncio.run(probe(f"wss://127.0.0.1:{port}/"))
    assert evidence.tls is not None
    assert evidence.tls.problem
    assert evidence.base.is_open
    assert evidence.talk.outlives_half_close is None
    (tls,) = (step for step in steps if step.title == "TLS")
    assert "NOT TRUSTED" in tls.detail


def test_what_cannot_be_reached_is_an_error() -> None:
    with pytest.raises(ConnectError):
        asyncio.run(probe("ws://127.0.0.1:1/"))
    with pytest.raises(LocalProtocolError):
        asyncio.run(probe("ws://127.0.0.1:1/", backend="ftp://x"))
