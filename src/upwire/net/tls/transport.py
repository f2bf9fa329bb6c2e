"""TLS over a Stream that speaks in the clear, as another Stream.

The OpenSSL below is pyOpenSSL's, over buffers in memory: what the standard library's `ssl` does
not offer is asked of the `SSL.Context` that the caller made (docs/decisions/0006-tls.md).
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from OpenSSL import SSL

from upwire.errors import StreamError
from upwire.net.stream import Stream
from upwire.net.tls import _session

RECORD_OCTETS = 16384
"""The most content that one record carries (RFC 8446 §5.1)."""

_RECORD_COST_OCTETS = 128  # header, tag and padding of any cipher
_FLIGHTS_MAX = 2  # a server asks for another ClientHello once at most
_HEADER_OCTETS = 5
_FLIGHT_OCTETS = 16384  # read at once of a handshake's output


async def start_tls(
    stream: Stream,
    connection: SSL.Connection,
    *,
    timeout_s: float,
    record_octets: int = RECORD_OCTETS,
) -> TlsTransport:
    """Shake hands on a Stream; connection knows the side, and has no socket.

    The answer is to be had from `TlsTransport.open()`; the Stream below is the answer's from now
    on. record_octets: how much content to put into one record; what holds less is filled.
    Raises StreamError, caused by the SSL.Error where there was one; what OpenSSL has to say to the
    peer is sent before. The Stream stays the caller's to close then.
    """
    transport = TlsTransport(stream, connection, record_octets)
    await transport.shake_hands(timeout_s)
    return transport


def describe(error: SSL.Error) -> str:
    """Return OpenSSL's reasons as nginx logs them: "SSL: unknown ca"."""
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [f"error:{library}:{function}:{reason}" for library, function, reason in queue]
    if isinstance(error, SSL.SysCallError):
        return "unexpected end"
    return f"SSL: {' '.join(reasons)}" if reasons else "SSL"


def describe_code(code: int) -> str:
    """Return OpenSSL's reason of a number that it gave, as `describe()` does."""
    lib, ffi = SSL._lib, SSL._ffi  # type: ignore[attr-defined]  # private to pyOpenSSL
    words = (lib.ERR_lib_error_string(code), ffi.NULL, lib.ERR_reason_error_string(code))
    return describe(SSL.Error([tuple("" if not w else ffi.string(w).decode() for w in words)]))


class TlsTransport(asyncio.Transport):
    """Between two Streams: the transport of the upper one, the sink of the lower one.

    Memory is bounded as theirs is: what one receive gave is decrypted only as far as the upper one
    takes it, and what the lower one cannot send stops who writes.
    """

    __slots__ = (
        "_connection",
        "_drain",
        "_flights",
        "_has_ended",
        "_header",
        "_is_closing",
        "_is_eof",
        "_is_reading_paused",
        "_is_truncated",
        "_left_octets",
        "_loop",
        "_protocol",
        "_record_octets",
        "_stream",
        "_whole_records",
    )

    def __init__(self, stream: Stream, connection: SSL.Connection, record_octets: int) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._stream = stream
        self._connection = connection
        self._record_octets = min(record_octets, RECORD_OCTETS) or RECORD_OCTETS
        self._protocol: asyncio.Protocol | None = None
        self._drain: asyncio.Task[None] | None = None  # while the lower Stream is full
        self._is_reading_paused = False
        self._is_eof = False  # the upper Stream was told
        self._is_truncated = False
        self._has_ended = False  # our closure alert is sent
        self._is_closing = False
        self._flights: list[bytes] = []
        self._header = b""  # the beginning of a record's, of which the rest has not come
        self._left_octets = 0  # of a record that has begun to come
        self._whole_records = 0  # that OpenSSL has not been asked for

    @property
    def can_lend(self) -> bool:
        """Whether `lend()` may be called: both directions are open, and nothing waits to be sent.

        Whoever borrows needs a `Session` of the connection's.
        """
        is_open = not (self._is_closing or self._has_ended or self._is_eof)
        return _session.is_available() and is_open and self._stream.can_lend

    def lend(self) -> int:
        """Lend the socket below, as `Stream.lend()` does."""
        return self._stream.lend()

    def take_back(self) -> None:
        """Read and write again."""
        self._stream.take_back()

    def give_up(self) -> tuple[_session.Session, bytes]:
        """Leave the connection to whoever borrowed the socket; return what speaks TLS from now on,
        and the records that came and were not decrypted.
        """
        self._is_closing = True
        session = _session.Session(self._connection, self._record_octets)
        return session, self._stream.give_up()

    @property
    def connection(self) -> SSL.Connection:
        """OpenSSL's side, to be asked for what was agreed."""
        return self._connection

    async def shake_hands(self, timeout_s: float) -> None:
        """Complete the handshake; StreamError where it fails or takes longer."""
        deadline_s = self._loop.time() + timeout_s
        while True:
            try:
                self._connection.do_handshake()
            except SSL.WantReadError:
                self._send_flight()
            except SSL.Error as error:
                self._send_flight()
                raise StreamError(describe(error), doing="SSL_do_handshake()") from error
            else:
                self._send_flight()
                return
            self._flights = self._flights[:_FLIGHTS_MAX]
            left_s = max(deadline_s - self._loop.time(), 0)
            octets = await self._stream.read(timeout_s=left_s, doing="SSL_do_handshake()")
            if not octets:
                raise StreamError(
                    "peer closed connection in SSL handshake", doing="SSL_do_handshake()"
                )
            self._feed(octets)

    def take_flights(self) -> list[bytes]:
        """Return what we sent first; a server's shows whether a session was resumed."""
        flights, self._flights = self._flights, []
        return flights

    def open(self) -> Stream:
        """Return the Stream of what is inside, after the handshake."""
        upper = Stream()
        self._protocol = upper
        upper.connection_made(self)
        self._whole_records = max(self._whole_records, 1)  # of a handshake, or behind it
        self._decrypt()
        self._stream.push_to(self)
        return upper

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Answer as the transport below; "ssl_object" is OpenSSL's connection, "stream" the lower
        Stream.

        "is_truncated": whether the peer ended without the alert that says so (RFC 8446 §6.1).
        """
        if name == "ssl_object":
            return self._connection
        if name == "stream":
            return self._stream
        if name == "is_truncated":
            return self._is_truncated
        return self._stream.transport.get_extra_info(name, default)

    # What the upper Stream asks for.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if self._is_closing or self._has_ended or not data:
            return
        size = self._record_octets
        try:
            if len(data) <= size:
                self._connection.send(data)
            else:
                view = memoryview(data)
                for at in range(0, len(view), size):
                    self._connection.send(view[at : at + size])
        except SSL.Error as error:
            self._fail(error)
            return
        self._send_records(len(data) + (len(data) // size + 1) * _RECORD_COST_OCTETS)
        if not self._stream.is_writable_now:
            self._pause_writing()

    def can_write_eof(self) -> bool:
        """Our direction can be ended alone, by its closure alert."""
        return True

    def write_eof(self) -> None:
        """Send the closure alert."""
        if not self._has_ended and not self._is_closing:
            self._end()

    def is_closing(self) -> bool:
        """Whether the connection is closed or closing."""
        return self._is_closing or self._stream.is_closed

    def close(self) -> None:
        """Send what is left and the closure alert, and close the Stream below."""
        if not self._is_closing:
            self.write_eof()
            self._is_closing = True
            self._stream.close()
            self._stream.resume()  # so that it tells of its end

    def abort(self) -> None:
        """Cut the connection."""
        self._is_closing = True
        self._stream.abort()
        self._stream.resume()

    def is_reading(self) -> bool:
        """Whether what comes is delivered."""
        return not self._is_reading_paused

    def pause_reading(self) -> None:
        """Decrypt nothing more, and read nothing more."""
        if not self._is_reading_paused:
            self._is_reading_paused = True
            self._stream.pause()

    def resume_reading(self) -> None:
        """Go on in the next turn of the loop, with what is there already."""
        if self._is_reading_paused:
            self._is_reading_paused = False
            self._loop.call_soon(self._go_on)

    def get_write_buffer_size(self) -> int:
        """How many octets the Stream below has not sent."""
        return self._stream.write_buffer_octets

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Leave it to the Stream below, which has limits of its own."""

    # What the lower Stream tells.

    def octets_received(self, octets: bytes) -> None:
        """Decrypt what came, and deliver it."""
        if not self._is_eof:
            self._feed(octets)
            self._decrypt()

    def eof_received(self) -> None:
        """The peer ends the connection below; without a closure alert before, that is a cut."""
        if not self._is_eof:
            self._is_truncated = True
            self._tell_eof()

    def stream_lost(self, error: StreamError | None) -> None:
        """The connection below is gone."""
        self._is_closing = True
        if self._drain is not None:
            self._drain.cancel()
        self._stream.push_to(None)  # they refer to each other
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            protocol.connection_lost(error)

    # Between the two.

    def _go_on(self) -> None:
        if not self._is_reading_paused and not self._is_closing:
            self._decrypt()
            if not self._is_reading_paused:
                self._stream.resume()

    def _feed(self, octets: bytes) -> None:
        """Give OpenSSL octets, and count the records that are whole by them.

        So it is asked for as many as it has: an answer that there is no more costs as much as
        the decryption of a small record.
        """
        self._connection.bio_write(octets)
        if self._header:
            octets = self._header + octets
            self._header = b""
        end, at = len(octets), self._left_octets
        if 0 < at <= end:
            self._whole_records += 1
        while at <= end - _HEADER_OCTETS:
            at += _HEADER_OCTETS + (octets[at + 3] << 8 | octets[at + 4])
            if at <= end:
                self._whole_records += 1
        if at <= end:
            self._header = octets[at:]
        self._left_octets = max(at - end, 0)

    def _decrypt(self) -> None:
        """Deliver what the whole records hold, until the upper Stream is full."""
        receive = self._connection.recv
        while self._whole_records and not self._is_reading_paused and not self._is_eof:
            self._whole_records -= 1
            try:
                octets = receive(RECORD_OCTETS)
            except SSL.WantReadError:
                self._whole_records = 0
                self._send_flight()  # it was a message of TLS itself, which may want an answer
                return
            except SSL.ZeroReturnError:
                self._tell_eof()
                return
            except SSL.Error as error:
                self._fail(error)
                return
            if self._protocol is not None and not self._is_closing:
                self._protocol.data_received(octets)

    def _send_records(self, limit_octets: int) -> None:
        """Send what OpenSSL has made of content, which is less than limit_octets as a rule."""
        records = self._connection.bio_read(limit_octets)
        self._stream.write(records)
        if len(records) == limit_octets:
            self._send_flight()

    def _send_flight(self) -> None:
        """Send what OpenSSL has to say beside content."""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                octets = self._connection.bio_read(_FLIGHT_OCTETS)
                if self._protocol is None:
                    self._flights.append(octets)
                if not self._stream.is_closed:
                    self._stream.write(octets)

    def _end(self) -> None:
        """Send the closure alert, once."""
        self._has_ended = True
        with contextlib.suppress(SSL.Error):  # after a failure there is none to send
            self._connection.shutdown()
        self._send_flight()

    def _tell_eof(self) -> None:
        self._is_eof = True
        if self._protocol is not None:
            self._protocol.eof_received()

    def _fail(self, error: SSL.Error) -> None:
        """Tell the peer by OpenSSL's alert, and the upper Stream by a loss."""
        self._send_flight()
        self._is_closing = True
        self._has_ended = True
        self._stream.close()
        lost = StreamError(describe(error), doing="SSL_read()")
        lost.__cause__ = error
        protocol, self._protocol = self._protocol, None
        if protocol is not None:
            self._loop.call_soon(protocol.connection_lost, lost)
        self._stream.resume()

    def _pause_writing(self) -> None:
        if self._drain is None and self._protocol is not None:
            self._protocol.pause_writing()
            self._drain = self._loop.create_task(self._resume_writing())

    async def _resume_writing(self) -> None:
        with contextlib.suppress(StreamError):  # the loss is told by the Stream itself
            await self._stream.drain(doing="SSL_write()")
        self._drain = None
        if self._protocol is not None:
            self._protocol.resume_writing()
