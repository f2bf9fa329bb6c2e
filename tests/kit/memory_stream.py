"""Two Streams joined in memory: no sockets, and the order of everything is exact."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

from upwire.net.stream import Stream


def memory_pair(*, can_half_close: bool = True) -> tuple[Stream, Stream]:
    """Make two connected Streams; what one writes, the other reads one turn of the loop later.

    can_half_close=False ends both directions together, as TLS does.
    """
    one, two = Stream(), Stream()
    near = MemoryTransport(one, ("192.0.2.1", 1001), can_half_close=can_half_close)
    far = MemoryTransport(two, ("192.0.2.2", 1002), can_half_close=can_half_close)
    near.join(far)
    return one, two


class MemoryTransport(asyncio.Transport):
    """One end. It holds what the peer does not read yet, as the system's buffers would."""

    def __init__(
        self, protocol: asyncio.Protocol, address: tuple[str, int], *, can_half_close: bool
    ) -> None:
        super().__init__()
        self.protocol = protocol
        self.address = address
        self.can_half_close = can_half_close
        self.peer: MemoryTransport
        self._loop = asyncio.get_running_loop()
        self._outbox: list[bytes] = []
        self._outbox_octets = 0
        self._high_octets, self._low_octets = 65536, 16384
        self._is_reading = True
        self._is_writing_paused = False
        self._is_eof_queued = False
        self._is_eof_sent = False
        self._is_closing = False
        self._is_lost = False

    def join(self, peer: MemoryTransport) -> None:
        """Connect both ends and tell both protocols."""
        self.peer, peer.peer = peer, self
        for end in (self, peer):
            end.protocol.connection_made(end)

    @property
    def queued(self) -> list[bytes]:
        """What was written in this turn of the loop, write by write."""
        return list(self._outbox)

    def lose(self, error: Exception | None = None) -> None:
        """Lose this end, as the system does at a reset: at once, with the cause."""
        self._outbox.clear()
        self._outbox_octets = 0
        self._is_closing = True
        self._loop.call_soon(self._end, error)

    def get_extra_info(self, name: str, default: object = None) -> object:
        return {"sockname": self.address, "peername": self.peer.address}.get(name, default)

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if self._is_eof_queued:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._is_closing or not data:
            return
        self._outbox.append(bytes(data))
        self._outbox_octets += len(data)
        if self._outbox_octets > self._high_octets and not self._is_writing_paused:
            self._is_writing_paused = True
            self.protocol.pause_writing()
        self._loop.call_soon(self._flush)

    def can_write_eof(self) -> bool:
        return self.can_half_close

    def write_eof(self) -> None:
        if not self.can_half_close:
            raise NotImplementedError
        self._is_eof_queued = True
        self._loop.call_soon(self._flush)

    def close(self) -> None:
        if not self._is_closing:
            self._is_closing = True
            self._is_eof_queued = True
            self._loop.call_soon(self._flush)

    def is_closing(self) -> bool:
        return self._is_closing

    def abort(self) -> None:
        self.lose()
        self.peer.lose(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"))

    def is_reading(self) -> bool:
        return self._is_reading and not self._is_closing

    def pause_reading(self) -> None:
        self._is_reading = False

    def resume_reading(self) -> None:
        self._is_reading = True
        self._loop.call_soon(self.peer._flush)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._high_octets = 65536 if high is None else high
        self._low_octets = self._high_octets // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        return self._outbox_octets

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._low_octets, self._high_octets

    def _flush(self) -> None:
        """Move what the peer takes, then our end, then ourselves if we are closing."""
        while self._outbox and self.peer.is_reading():
            octets = self._outbox.pop(0)
            self._outbox_octets -= len(octets)
            self.peer.protocol.data_received(octets)
        if self._outbox and self.peer._is_closing:
            self.lose(BrokenPipeError(errno.EPIPE, "Broken pipe"))
        if self._is_writing_paused and self._outbox_octets <= self._low_octets:
            self._is_writing_paused = False
            self.protocol.resume_writing()
        if not self._outbox and self._is_eof_queued and not self._is_eof_sent:
            self._send_eof()
        if not self._outbox and self._is_closing:
            self._end(None)

    def _send_eof(self) -> None:
        if self.peer.is_reading():
            self._is_eof_sent = True
            if not self.peer.protocol.eof_received():
                self.peer.close()

    def _end(self, error: Exception | None) -> None:
        if not self._is_lost:
            self._is_lost = True
            self.protocol.connection_lost(error)
