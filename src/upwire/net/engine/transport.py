"""`LinkTransport`: what a Stream stands on where the compiled engine carries its octets."""

from __future__ import annotations

import asyncio
import os
import socket
from typing import Any

from upwire.errors import StreamError
from upwire.net.engine._link import Link
from upwire.net.engine.driver import open_link
from upwire.net.stream import Stream


def open_stream(sock: socket.socket) -> Stream:
    """Make a Stream of a connected socket, on the engine of the running loop.

    Raises OSError, and leaves the socket to the caller then.
    """
    stream = Stream()
    stream.connection_made(LinkTransport(open_link(sock), stream))
    return stream


class LinkSocket:
    """The socket of a Link, for those who borrow it or set its options."""

    __slots__ = ("_link",)

    def __init__(self, link: Link) -> None:
        self._link = link

    def fileno(self) -> int:
        return int(self._link.descriptor)

    def getsockopt(self, level: int, option: int) -> int:
        with self._duplicate() as sock:
            return sock.getsockopt(level, option)

    def setsockopt(self, level: int, option: int, value: int) -> None:
        with self._duplicate() as sock:
            sock.setsockopt(level, option, value)

    def _duplicate(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self.fileno()))


class LinkTransport(asyncio.Transport):
    """A Link as asyncio's protocols see a transport; it is the Link's sink.

    Its limits on writing are the Link's, which are those of every Stream.
    """

    __slots__ = ("_is_held", "_link", "_protocol")

    def __init__(self, link: Link, protocol: Stream) -> None:
        super().__init__()
        self._link = link
        self._protocol: Stream | None = protocol  # until it is told of the end: a cycle
        self._is_held = False
        link.on_room = self._release
        link.push_to(self)

    def detach(self) -> Link:
        """Give the Link up to who goes on with it; nothing more can be done here but `abort()`."""
        link, self._link = self._link, _GONE
        link.on_room = None
        link.push_to(None)
        link.resume()
        return link

    # What a Stream calls

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # Any: asyncio's
        match name:
            case "socket":
                return LinkSocket(self._link)
            case "peername":
                return self._link.peer_address
            case "sockname":
                return self._link.local_address
        return default

    def is_closing(self) -> bool:
        return self._link is _GONE or bool(self._link.is_closed)

    def pause_reading(self) -> None:
        self._link.pause()

    def resume_reading(self) -> None:
        self._link.resume()

    def is_reading(self) -> bool:
        return self._link.is_wanted

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Leave them as they are."""

    def get_write_buffer_size(self) -> int:
        return self._link.write_buffer_octets

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._link.write(data if isinstance(data, bytes) else bytes(data))
        if not self._is_held and not self._link.is_writable_now and not self._link.is_closed:
            self._is_held = True
            if self._protocol is not None:
                self._protocol.pause_writing()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self._link.write_eof()

    def close(self) -> None:
        self._link.close()

    def abort(self) -> None:
        """Cut it; where the Link goes on without, only its protocol learns of an end."""
        if self._link is _GONE:
            self.stream_lost(None)
        else:
            self._link.abort()

    # What the Link calls

    def octets_received(self, octets: bytes) -> None:
        if self._protocol is not None:
            self._protocol.data_received(octets)

    def eof_received(self) -> None:
        if self._protocol is not None:
            self._protocol.eof_received()

    def stream_lost(self, error: StreamError | None) -> None:
        protocol, self._protocol, self._link = self._protocol, None, _GONE
        cause = None if error is None else error.__cause__
        if protocol is not None:
            protocol.connection_lost(cause if isinstance(cause, Exception) else None)

    def _release(self) -> None:
        self._is_held = False
        if self._protocol is not None:
            self._protocol.resume_writing()


_GONE = Link(None, -1, "", "")
"""What a transport has instead of a Link that was detached."""
