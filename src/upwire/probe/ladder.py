"""The idle ladder: who closes a WebSocket on which nobody speaks, and when."""

from __future__ import annotations

import asyncio
import time

from upwire.errors import RemoteProtocolError, StreamError
from upwire.probe.asking import Asker, Conversation
from upwire.probe.evidence import Idle, Silence
from upwire.wire.http1 import RequestHead
from upwire.wire.websocket import CloseReceived, Disconnected

PING_EVERY_S = 25.0
"""How often there is a ping where that is often enough for the time that is watched."""


def ping_interval_s(watched_s: float) -> float:
    """Return how often the connection with pings has one."""
    return min(PING_EVERY_S, watched_s / 8)


async def watch_idle(
    front: Asker, backend: Asker | None, request: RequestHead, watched_s: float
) -> Idle | None:
    """Return how silent WebSockets fare; None where the first does not open.

    request: the handshake. All are watched at the same time.
    """
    every_s = ping_interval_s(watched_s)
    asked = [_watch(front, request, watched_s, None), _watch(front, request, watched_s, every_s)]
    if backend is not None:
        asked.append(_watch(backend, request, watched_s, None))
    silent, pinged, *rest = await asyncio.gather(*asked)
    if silent is None or pinged is None:
        return None
    return Idle(silent, pinged, rest[0] if rest else None)


async def _watch(
    asker: Asker, request: RequestHead, watched_s: float, ping_every_s: float | None
) -> Silence | None:
    _, conversation = await asker.open(request)
    if conversation is None:
        return None
    try:
        return await _silence(conversation, watched_s, ping_every_s)
    finally:
        await conversation.close()


async def _silence(
    conversation: Conversation, watched_s: float, ping_every_s: float | None
) -> Silence:
    started_s = time.monotonic()
    heard_s: float | None = None
    close_code = 0
    while (left_s := started_s + watched_s - time.monotonic()) > 0:
        try:
            event = await conversation.next_event(min(left_s, ping_every_s or left_s))
        except (StreamError, RemoteProtocolError):
            event = Disconnected()
        passed_s = time.monotonic() - started_s
        match event:
            case CloseReceived(code=code):
                close_code = code
                break
            case Disconnected():
                return Silence(watched_s, passed_s, server_ping_s=heard_s)
            case None:
                _ping(conversation, ping_every_s)
            case _ if heard_s is None and ping_every_s is None:
                heard_s = passed_s  # unasked; behind pings of ours it may be a pong
    return Silence(watched_s, close_code=close_code, server_ping_s=heard_s)


def _ping(conversation: Conversation, every_s: float | None) -> None:
    if every_s is not None and conversation.can_send:
        conversation.connection.send_ping(b"idle")
        conversation.flush()
