# cython: boundscheck=False, wraparound=False
"""One side of an open WebSocket: octets in, events out; messages in, octets out.

RFC 6455 §5.4 to §7, with RFC 7692 where it was negotiated. The caller carries octets: feed()
what was read, take events until there is none, and write what take_output() gives, after
events too, since the answers to Ping and Close are queued here. Cython's pure Python mode:
uncompiled, the same file runs, slower.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.wire._codec import Utf8Validator, decode_text
from upwire.wire.deflate import PerMessageDeflate
from upwire.wire.frames import (
    MAX_CONTROL_OCTETS,
    CloseCode,
    Opcode,
    build_close,
    cut_reason,
    encode_text,
    parse_close,
)
from upwire.wire.prepared import PreparedMessage

if cython.compiled:
    from cython.cimports.upwire.wire._codec import FrameParser, write_frame
else:
    from upwire.wire._codec import FrameParser, write_frame

FRAGMENTS_A_CALL = 256
"""After so many frames that were only a part of a message, the caller may do something else."""

_KEYS_OCTETS = 256  # random octets that a client asks for at a time: 64 masks


class Role(enum.Enum):
    """Which side of the connection we are: a client masks, a server does not."""

    CLIENT = enum.auto()
    SERVER = enum.auto()


class State(enum.Enum):
    """How far the closing handshake is."""

    OPEN = enum.auto()
    CLOSE_SENT = enum.auto()  # we began the closing handshake (§7.1.2)
    CLOSE_RECEIVED = enum.auto()  # the peer did; our Close is due (§5.5.1)
    CLOSED = enum.auto()  # nothing more is processed; the output is still to be written


class Input(enum.Enum):
    """What moves the state."""

    SEND_CLOSE = enum.auto()
    RECEIVE_CLOSE = enum.auto()
    FAIL = enum.auto()  # _Fail the WebSocket Connection_ (§7.1.7)
    END = enum.auto()  # the peer's octets ended without a Close


TRANSITIONS = {  # a pair that is absent is an error
    (State.OPEN, Input.SEND_CLOSE): State.CLOSE_SENT,
    (State.OPEN, Input.RECEIVE_CLOSE): State.CLOSE_RECEIVED,
    (State.OPEN, Input.FAIL): State.CLOSED,
    (State.OPEN, Input.END): State.CLOSED,
    (State.CLOSE_SENT, Input.RECEIVE_CLOSE): State.CLOSED,
    (State.CLOSE_SENT, Input.FAIL): State.CLOSED,
    (State.CLOSE_SENT, Input.END): State.CLOSED,
    (State.CLOSE_RECEIVED, Input.SEND_CLOSE): State.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: str for text, bytes for binary."""

    data: str | bytes


@dataclass(frozen=True, slots=True)
class Ping:
    """A Ping came; its Pong is queued."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Pong:
    """A Pong came."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseReceived:
    """The peer's Close, 1005 where it had no code; the answer is queued where one was due."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The peer's octets ended without a Close."""


@dataclass(frozen=True, slots=True)
class Fragments:
    """Many frames came, all of them parts of one message; more of them may be there."""


Event = Message | Ping | Pong | CloseReceived | Disconnected | Fragments


class Direction(enum.Enum):
    """Which way a frame went."""

    SENT = enum.auto()
    RECEIVED = enum.auto()


@dataclass(frozen=True, slots=True)
class FrameInfo:
    """The header of a frame that was sent or received; length is its payload's, in octets."""

    direction: Direction
    opcode: Opcode
    length: int
    is_final: bool
    rsv1: bool
    is_masked: bool


_OPEN = cython.declare(object, State.OPEN)
_CLOSED = cython.declare(object, State.CLOSED)


@cython.final
@cython.cclass
class Connection:
    """The protocol of one open WebSocket.

    random_octets: gives that many octets that no one can foresee; a client's masks (§5.3).
    max_message_octets: a longer message fails the connection with 1009 before it is kept.
    deflate: the codec of permessage-deflate where it was agreed.
    frame_log: gets a FrameInfo for each frame, either way; the caller empties it.

    state: how far the closing handshake is.
    close_code, close_reason: of the peer's Close (§7.1.5), of the failure where we failed the
    connection, 1006 where the octets ended without a Close; None while none of it happened.
    closed_by_remote: the peer began the closing handshake, or ended the octets first.
    output_octets: how many octets take_output() would give.
    """

    def __init__(
        self,
        role: Role,
        *,
        random_octets: Callable[[int], bytes],
        max_message_octets: int = 2**20,
        deflate: PerMessageDeflate | None = None,
        frame_log: list[FrameInfo] | None = None,
    ) -> None:
        self.role = role
        self.state = State.OPEN
        self.close_code: int | None = None
        self.close_reason = ""
        self.closed_by_remote = False
        self._random_octets = random_octets if role is Role.CLIENT else None
        self._keys = b""  # of masks, those before _key_at were used
        self._key_at = 0
        self._max_message_octets = max_message_octets
        self._deflate = deflate
        self._frame_log = frame_log
        self._parser = FrameParser(is_masked=role is Role.SERVER, allows_rsv1=deflate is not None)
        self._is_input_ended = False
        self._receiving = -1  # opcode of the message that has begun
        self._is_deflated = False
        self._received: bytearray | None = None  # of that message, if it comes in pieces
        self._utf8: Utf8Validator | None = None  # of its text
        self._control = b""  # of a control frame that is incomplete
        self._sending: type | None = None  # str or bytes: the fragments of a message
        self._is_deflating = False
        self._output: list[bytes] = []
        self.output_octets = 0

    def feed(self, octets: bytes) -> None:
        """Take what was read from the peer. Nothing is processed once CLOSED (§5.5.1)."""
        if self.state is not State.CLOSED:
            self._parser.feed(octets)

    def feed_eof(self) -> None:
        """Note that the peer sends nothing more."""
        self._is_input_ended = True

    @property
    def unread_octets(self) -> int:
        """How many octets that came have made no event yet."""
        return self._parser._end - self._parser._at

    @cython.ccall
    def next_message(self) -> object:
        """Return the next message where the next frame is all of it; None for anything else.

        It is the short way past `next_event()`, which is to be asked behind None. Raises
        RemoteProtocolError (1007) for text that is not UTF-8, and leaves `fail()` to the caller.
        """
        if self.state is _CLOSED or self._receiving >= 0 or self._frame_log is not None:
            return None
        if self._parser.remaining or self._parser._at == self._parser._end:
            return None
        return self._parser.read_message(self._max_message_octets)

    def next_event(self) -> Event | None:
        """Return the next event, or None where more octets are needed or the state is CLOSED.

        Fragments says that many frames made no event, and is no sign that more octets are needed.
        Raises RemoteProtocolError at the octet that breaks a rule, after every event before it;
        the connection has failed then, as by fail().
        """
        if self.state is _CLOSED:
            return None
        try:
            event = self._read_event()
        except RemoteProtocolError as error:
            self.fail(error)
            raise
        if event is None and self._is_input_ended:
            self._end(CloseCode.ABNORMAL_CLOSURE, "", by_remote=self.state is State.OPEN)
            self._move(Input.END)
            return Disconnected()
        return event

    @cython.ccall
    def send_message(self, data: str | bytes) -> None:
        """Queue a message, str or bytes, in one frame. Raises LocalProtocolError unless OPEN."""
        if self._sending is not None:
            raise LocalProtocolError("a fragmented message is being sent")
        if self._deflate is not None or self._frame_log is not None:
            self.send_fragment(data, is_final=True)
            return
        self._check_open()
        if isinstance(data, str):
            self._append(0x81, encode_text(data))
        else:
            self._append(0x82, data)

    @cython.ccall
    def send_prepared(self, message: PreparedMessage) -> None:
        """Queue a message that was prepared for many, as send_message() does."""
        if self._random_octets is not None or self._frame_log is not None:
            self.send_message(message.data)  # masked by itself, or shown
            return
        if self._sending is not None:
            raise LocalProtocolError("a fragmented message is being sent")
        self._check_open()
        frame: bytes
        frame = message.frame if self._deflate is None else message.frame_for(self._deflate)
        self._output.append(frame)
        self.output_octets += len(frame)

    def send_fragment(self, data: str | bytes, *, is_final: bool) -> None:
        """Queue the next fragment of a message, str for text or bytes for binary. §5.4.

        A character may not be split between fragments of str. Raises LocalProtocolError where
        the kind changes inside a message, and unless OPEN.
        """
        self._check_open()
        kind = str if isinstance(data, str) else bytes
        payload = encode_text(data) if isinstance(data, str) else data
        is_first = self._sending is None
        if is_first:
            self._is_deflating = self._is_worth_deflating(payload, is_final)
        elif kind is not self._sending:
            raise LocalProtocolError("text and binary fragments in one message")
        if self._is_deflating and self._deflate is not None:
            payload = self._deflate.compress(payload, is_final)
        opcode = Opcode.TEXT if kind is str else Opcode.BINARY
        self._sending = None if is_final else kind
        self._queue(
            opcode if is_first else Opcode.CONTINUATION,
            payload,
            is_final=is_final,
            rsv1=is_first and self._is_deflating,
        )

    def send_ping(self, payload: bytes = b"") -> None:
        """Queue a Ping of 125 octets or fewer. Raises LocalProtocolError unless OPEN. §5.5.2."""
        self._send_control(Opcode.PING, payload)

    def send_pong(self, payload: bytes = b"") -> None:
        """Queue a Pong that no Ping asked for. Raises LocalProtocolError unless OPEN. §5.5.3."""
        self._send_control(Opcode.PONG, payload)

    def send_close(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        """Begin the closing handshake; 1005 sends a Close without a code. §7.1.2.

        Raises LocalProtocolError unless OPEN, or for what frames.build_close() refuses.
        """
        payload = build_close(code, reason)
        self._move(Input.SEND_CLOSE)
        self._queue(Opcode.CLOSE, payload)

    def fail(self, error: RemoteProtocolError) -> None:
        """Fail the connection: queue a Close that tells why, unless one was sent. §7.1.7."""
        if self.state is State.CLOSED:
            return
        reason = cut_reason(error.message)
        if self.state is State.OPEN:
            self._queue(Opcode.CLOSE, build_close(error.close_code, reason))
        self._end(error.close_code, reason, by_remote=False)
        self._move(Input.FAIL)

    @cython.ccall
    def take_output(self) -> bytes:
        """Return the octets to write, and forget them; output_octets says how many they are."""
        octets: bytes = b""
        if self.output_octets:
            octets = self._output[0] if len(self._output) == 1 else b"".join(self._output)
            self._output.clear()
            self.output_octets = 0
        return octets

    def _move(self, step: Input) -> None:
        try:
            self.state = TRANSITIONS[self.state, step]
        except KeyError:
            raise LocalProtocolError(f"{step.name} in state {self.state.name}") from None
        if self.state is State.CLOSED:
            self._parser.discard()
            self._received = None

    def _end(self, code: int, reason: str, *, by_remote: bool) -> None:
        self.close_code = code
        self.close_reason = reason
        self.closed_by_remote = by_remote

    @cython.cfunc
    def _read_event(self) -> object:
        """Read frames until one makes an event; None: more octets are needed."""
        parser: FrameParser = self._parser
        for _ in range(FRAGMENTS_A_CALL):
            if not parser.remaining:
                if not parser.read_header():
                    return None
                self._begin_frame()
            octets = parser.read_payload()
            event = self._take_control(octets) if parser.opcode >= 0x8 else self._take_data(octets)
            if event is not None or parser.remaining:
                return event
        return Fragments()

    @cython.cfunc
    def _begin_frame(self) -> None:
        """Check a header against the message that it belongs to, before its payload is kept."""
        parser: FrameParser = self._parser
        if self._frame_log is not None:
            self._log(
                Direction.RECEIVED, parser.opcode, parser.length, parser.is_final, parser.rsv1
            )
        if parser.opcode >= 0x8:
            return
        if parser.opcode == Opcode.CONTINUATION:
            if self._receiving < 0:
                raise RemoteProtocolError(
                    "continuation frame without a message to continue", "RFC 6455 §5.4"
                )
        else:
            if self._receiving >= 0:
                raise RemoteProtocolError(
                    "new message before the end of a fragmented one", "RFC 6455 §5.4"
                )
            self._receiving = parser.opcode
            self._is_deflated = parser.rsv1
        # What a compressed payload comes to is for the inflater to say.
        limit_octets: cython.ulonglong = self._max_message_octets - self._received_octets()
        if parser.length > limit_octets and not self._is_deflated:
            raise RemoteProtocolError(
                f"message is longer than {self._max_message_octets} octets",
                "RFC 6455 §7.4.1",
                close_code=CloseCode.MESSAGE_TOO_BIG,
            )

    @cython.cfunc
    def _received_octets(self) -> cython.Py_ssize_t:
        return 0 if self._received is None else len(self._received)

    @cython.cfunc
    def _take_data(self, octets: bytes) -> object:
        """Take the next octets of a message; return it when they are its last, None before."""
        is_last: cython.bint = self._parser.is_final and not self._parser.remaining
        if self._is_deflated and self._deflate is not None:
            limit = self._max_message_octets - self._received_octets()
            octets = self._deflate.decompress(octets, is_last, limit)
        is_text: cython.bint = self._receiving == 0x1
        if is_last and self._received is None:
            self._receiving = -1
            return Message(decode_text(octets) if is_text else octets)
        if self._received is None:
            self._received = bytearray()
            self._utf8 = Utf8Validator() if is_text else None
        if self._utf8 is not None:
            self._utf8.feed(octets, is_last)
        received = self._received
        received += octets
        if not is_last:
            return None
        self._received, self._receiving = None, -1
        return Message(received.decode() if is_text else bytes(received))

    @cython.cfunc
    def _take_control(self, octets: bytes) -> object:
        """Take the next octets of a control frame; answer it and return it at its end."""
        payload: bytes = self._control + octets if self._control else octets
        if self._parser.remaining:
            self._control = payload
            return None
        self._control = b""
        if self._parser.opcode == Opcode.PONG:
            return Pong(payload)
        if self._parser.opcode == Opcode.CLOSE:
            return self._take_close(payload)
        if self.state is State.OPEN:
            self._queue(Opcode.PONG, payload)
        return Ping(payload)

    def _take_close(self, payload: bytes) -> CloseReceived:
        close = parse_close(payload)
        is_answer_due = self.state is State.OPEN
        self._end(close.code, close.reason, by_remote=is_answer_due)
        self._move(Input.RECEIVE_CLOSE)
        if is_answer_due:
            self._move(Input.SEND_CLOSE)
            self._queue(Opcode.CLOSE, payload[:2])
        return CloseReceived(close.code, close.reason)

    @cython.cfunc
    def _check_open(self) -> None:
        if self.state is not _OPEN:
            raise LocalProtocolError(f"nothing can be sent in state {self.state.name}")

    def _is_worth_deflating(self, payload: bytes, is_final: bool) -> bool:
        if self._deflate is None:
            return False
        return not is_final or len(payload) >= self._deflate.parameters.min_octets

    def _send_control(self, opcode: Opcode, payload: bytes) -> None:
        self._check_open()
        if len(payload) > MAX_CONTROL_OCTETS:
            raise LocalProtocolError(f"{opcode.name} of more than {MAX_CONTROL_OCTETS} octets")
        self._queue(opcode, payload)

    def _queue(
        self, opcode: Opcode, payload: bytes, *, is_final: bool = True, rsv1: bool = False
    ) -> None:
        """Queue one frame."""
        if self._frame_log is not None:
            self._log(Direction.SENT, opcode, len(payload), is_final, rsv1)
        self._append(opcode | (0x80 if is_final else 0) | (0x40 if rsv1 else 0), payload)

    @cython.cfunc
    def _append(self, first: cython.int, payload: bytes) -> None:
        """Queue the frame that begins with the octet first; a client's has a fresh mask. §5.3."""
        frame: bytes
        if self._random_octets is None:
            frame = write_frame(first, payload, None, 0)
        else:
            if self._key_at == len(self._keys):
                self._keys = self._random_octets(_KEYS_OCTETS)
                self._key_at = 0
            frame = write_frame(first, payload, self._keys, self._key_at)
            self._key_at += 4
        self._output.append(frame)
        self.output_octets += len(frame)

    def _log(
        self, direction: Direction, opcode: int, length: int, is_final: bool, rsv1: bool
    ) -> None:
        assert self._frame_log is not None
        is_masked = (self.role is Role.CLIENT) == (direction is Direction.SENT)
        self._frame_log.append(
            FrameInfo(direction, Opcode(opcode), length, is_final, rsv1, is_masked)
        )
