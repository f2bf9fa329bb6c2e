"""The opening handshake of a page, as this server saw it."""

from __future__ import annotations

from upwire.net.websocket import WebSocket


def describe_handshake(ws: WebSocket) -> dict[str, object]:
    """Return what a page shows of the handshake that it made; JSON."""
    request, response = ws.request, ws.response
    peer = ws.remote_address
    major, minor = request.version
    return {
        "peer": peer if isinstance(peer, str) else f"{peer[0]}:{peer[1]}",
        "request": {
            "start": f"{request.method} {request.target} HTTP/{major}.{minor}",
            "fields": list(request.headers.items()),
        },
        "response": {
            "start": f"HTTP/1.1 {response.status} {response.reason}",
            "fields": list(response.headers.items()),
        },
    }
