"""The JSON messages between a page and its server: an object with a "type"."""

from __future__ import annotations

import json
import math
from typing import Any

from upwire.errors import RemoteProtocolError
from upwire.net.websocket import WebSocket
from upwire.wire.frames import CloseCode

# Any: the values are JSON's; whoever reads one checks it.
Message = dict[str, Any]


def encode(kind: str, **fields: Any) -> str:
    """Return the text of a message of this type."""
    return json.dumps({"type": kind, **fields}, ensure_ascii=False, separators=(",", ":"))


def violation(
    message: str, close_code: CloseCode = CloseCode.POLICY_VIOLATION
) -> RemoteProtocolError:
    """Return the error for a page that broke a rule of ours; it is told in its Close."""
    return RemoteProtocolError(message, "RFC 6455 §7.4.1", close_code=close_code)


def decode(data: str | bytes) -> Message:
    """Read what a page sent.

    Raises RemoteProtocolError, with the close code to answer, for anything but a JSON object.
    """
    if isinstance(data, bytes):
        raise violation("this page sends text only", CloseCode.UNSUPPORTED_DATA)
    try:
        message = json.loads(data)
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict):
        raise violation("the message is not a JSON object")
    return message


def pong(message: Message) -> str:
    """Answer a "ping", which measures the round trip with the page's own clock.

    Raises RemoteProtocolError where its time is not a number.
    """
    at = message.get("at")
    if not isinstance(at, int | float) or not abs(at) < math.inf:  # nan is not, either
        raise violation("a ping tells its time as a number")
    return encode("pong", at=at)


def handshake(ws: WebSocket) -> str:
    """Tell a page the opening handshake that it made, as this server saw it."""
    request, response = ws.request, ws.response
    peer = ws.remote_address
    major, minor = request.version
    return encode(
        "handshake",
        peer=peer if isinstance(peer, str) else f"{peer[0]}:{peer[1]}",
        request={
            "start": f"{request.method} {request.target} HTTP/{major}.{minor}",
            "fields": list(request.headers.items()),
        },
        response={
            "start": f"HTTP/1.1 {response.status} {response.reason}",
            "fields": list(response.headers.items()),
        },
    )
