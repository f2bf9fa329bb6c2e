"""What the prober asks of a server of the tests, with a key that is known."""

from __future__ import annotations

from upwire.client.url import parse_url
from upwire.probe.asking import Asker
from upwire.probe.cases import BIG_ANSWER, VARIANTS, Asked
from upwire.probe.hops import Budget, Dialer, front_hop

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
CASES = {case.name: case for case in (*VARIANTS, BIG_ANSWER)}
SWITCH = (
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
).encode()


def asked_at(port: int) -> Asked:
    return Asked(parse_url(f"ws://127.0.0.1:{port}/ws?a=1"), KEY)


def asker_of(port: int, timeout_s: float = 5.0) -> Asker:
    return Asker(Dialer(front_hop(asked_at(port).url, None), Budget(10), timeout_s))
