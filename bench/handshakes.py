"""Handshakes a second: connect, switch, close properly, over and over, some at a time."""

from __future__ import annotations

import select
import socket
import time
from dataclasses import dataclass

from upwire.wire._codec import build_frame
from upwire.wire.frames import Opcode, build_close
from upwire.wire.handshake import build_request, check_response, make_key
from upwire.wire.http1 import parse_response_head, serialize_request

READ_OCTETS = 65536
WAIT_S = 5.0


class HandshakeFailed(Exception):
    """A connection ended, or was answered, as none may; the measurement is void."""


@dataclass(slots=True)
class _Attempt:
    """received: the server's octets. has_closed: we sent our Close and await theirs."""

    socket: socket.socket
    received: bytes = b""
    has_closed: bool = False


def count_handshakes(port: int, at_a_time: int, seconds: float) -> int:
    """Return how many connections went from connect() to the server's end of the stream.

    Each is answered right (RFC 6455 §4.1), sends a Close and gets one. Raises HandshakeFailed.
    """
    key = make_key(b"\0" * 16)
    request = serialize_request(build_request(f"127.0.0.1:{port}", "/", key))
    poll = select.epoll()
    attempts: dict[int, _Attempt] = {}
    for _ in range(at_a_time):
        _begin(port, request, poll, attempts)
    done = 0
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        ready = poll.poll(WAIT_S)
        if not ready:
            raise HandshakeFailed(f"nothing happened for {WAIT_S:g} s")
        for descriptor, _ in ready:
            if _go_on(attempts[descriptor], key):
                poll.unregister(descriptor)
                attempts.pop(descriptor).socket.close()
                done += 1
                _begin(port, request, poll, attempts)
    for attempt in attempts.values():
        attempt.socket.close()
    poll.close()
    return done


def _begin(port: int, request: bytes, poll: select.epoll, attempts: dict[int, _Attempt]) -> None:
    one = socket.create_connection(("127.0.0.1", port))
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    one.send(request)
    poll.register(one, select.EPOLLIN)
    attempts[one.fileno()] = _Attempt(one)


def _go_on(attempt: _Attempt, key: str) -> bool:
    """Read; send the Close behind the answer; return whether the server ended the connection."""
    octets = attempt.socket.recv(READ_OCTETS)
    attempt.received += octets
    if not octets:
        if not attempt.has_closed or attempt.received[:1] != b"\x88":
            raise HandshakeFailed(f"connection ended after {attempt.received!r:.80}")
        return True
    if not attempt.has_closed and (parsed := parse_response_head(attempt.received)) is not None:
        head, size = parsed
        check_response(head, key)
        attempt.received = attempt.received[size:]
        attempt.has_closed = True
        attempt.socket.send(build_frame(Opcode.CLOSE, build_close(1000), mask_key=b"\1\2\3\4"))
    return False
