"""Our end of a connection to an upstream: where it comes from, and what the system does with it."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from upwire.conf.model import split_local
from upwire.net.stream import Stream
from upwire.proxy.request import Request


@dataclass(frozen=True, slots=True)
class LocalEnd:
    """Where to connect from; address None and port 0 leave it to the system."""

    address: str | None = None
    port: int = 0
    is_transparent: bool = False


def local_end(request: Request) -> LocalEnd:
    """Return what `proxy_bind` says for a request; a bad address from variables is logged."""
    bind = request.settings.proxy.bind
    if bind is None:
        return _ANY
    text = bind.address.render(request.lookup)
    if not text:
        return _ANY
    local = split_local(text)
    if local is None:
        request.log("error", f'invalid local address "{text}"')
        return _ANY
    return LocalEnd(*local, bind.is_transparent)


def keep_alive(stream: Stream) -> None:
    """Let the system probe a silent peer: `proxy_socket_keepalive`."""
    sock: socket.socket | None = stream.transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


_ANY = LocalEnd()
