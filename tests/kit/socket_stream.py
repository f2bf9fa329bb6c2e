"""Two Streams joined by the system: real sockets, whose buffers are as small as it lets them be."""

from __future__ import annotations

import asyncio
import socket

from upwire.net.engine.driver import is_available
from upwire.net.engine.transport import open_stream
from upwire.net.stream import Stream


async def socket_streams(
    family: socket.AddressFamily = socket.AF_INET, *, buffer_octets: int | None = None
) -> tuple[Stream, Stream]:
    """Make two connected Streams; buffer_octets: of each socket, in both directions."""
    ours, theirs = connected_sockets(family)
    for sock in (ours, theirs):
        if buffer_octets is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_octets)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_octets)
    return await open_socket_stream(ours), await open_socket_stream(theirs)


async def open_socket_stream(sock: socket.socket) -> Stream:
    """Make a Stream of a connected socket: on the engine where there is one, else on asyncio."""
    sock.setblocking(False)
    if is_available():
        return open_stream(sock)
    _, stream = await asyncio.get_running_loop().connect_accepted_socket(Stream, sock)
    return stream


def connected_sockets(family: socket.AddressFamily) -> tuple[socket.socket, socket.socket]:
    """Connect two sockets of a family, without octets between them yet."""
    if family == socket.AF_UNIX:
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        near = socket.create_connection(listening.getsockname())
        far, _ = listening.accept()
    return near, far
