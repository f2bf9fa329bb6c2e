"""What a server needs for browsers: the handler of their WebSockets, and their client."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from functools import lru_cache
from importlib.resources import files

from upwire.net.websocket import WebSocket
from upwire.rooms.browser_options import Admit, BrowserLimits, Hooks, Prepare, Welcome
from upwire.rooms.rooms import Rooms
from upwire.rooms.session import Session
from upwire.server import Request, Response
from upwire.wire.fields import parse_list


def browser_handler(
    rooms: Rooms,
    *,
    welcome: Welcome | None = None,
    admit: Admit | None = None,
    prepare: Prepare | None = None,
    limits: BrowserLimits | None = None,
) -> Callable[[WebSocket], Coroutine[object, object, None]]:
    """Return a handler for `Routes.websocket()` that lets browsers into the rooms.

    welcome: what a page is told when it has connected.
    admit, prepare: what a member may show of itself, and publish; by default anything that the
    rooms' limits and permissions let through. Both may raise CommandRefused.
    """
    hooks = Hooks(welcome=welcome, admit=admit, prepare=prepare)

    async def serve(ws: WebSocket) -> None:
        await Session(ws, rooms, hooks, limits or BrowserLimits()).serve()

    return serve


async def client_script(request: Request) -> Response:
    """Answer with upwire.js: `routes.get("/upwire.js")(client_script)`.

    A browser keeps its copy and asks each time whether it is still right.
    """
    script, etag = _read_script()
    known = parse_list(request.headers.combined("If-None-Match") or "")
    fields = [("ETag", etag), ("Cache-Control", "no-cache")]
    if any(tag == "*" or tag.removeprefix("W/") == etag for tag in known):  # RFC 9110 §13.1.2
        return Response(304, headers=fields)
    fields += [
        ("Content-Type", "text/javascript; charset=utf-8"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Response(200, script, fields)


@lru_cache(maxsize=1)
def _read_script() -> tuple[bytes, str]:
    """Return the minified client, and its entity tag."""
    script = files("upwire.rooms").joinpath("browser", "upwire.min.js").read_bytes()
    return script, f'"{hashlib.sha256(script).hexdigest()[:16]}"'
