"""The vocabulary of frames: opcodes, close codes, and the payload of a Close.

RFC 6455 §5.2 and §7.4; close codes as the IANA registry of WebSocket close codes has them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from upwire.errors import LocalProtocolError, RemoteProtocolError

MAX_CONTROL_OCTETS = 125
MAX_REASON_OCTETS = MAX_CONTROL_OCTETS - 2


class Opcode(enum.IntEnum):
    """What a frame's payload is. RFC 6455 §11.8; every other value is reserved."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


class CloseCode(enum.IntEnum):
    """The close codes that the registry names below 3000."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RECEIVED = 1005  # local: the peer's Close had no code
    ABNORMAL_CLOSURE = 1006  # local: no Close came
    INVALID_PAYLOAD = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015  # local: the TLS handshake failed


LOCAL_CLOSE_CODES = frozenset(
    {CloseCode.NO_STATUS_RECEIVED, CloseCode.ABNORMAL_CLOSURE, CloseCode.TLS_HANDSHAKE}
)
_WIRE_CLOSE_CODES = frozenset(CloseCode) - LOCAL_CLOSE_CODES


@dataclass(frozen=True, slots=True)
class Close:
    """The payload of a Close frame; code 1005 stands for a payload that is empty."""

    code: int
    reason: str = ""


def is_valid_on_wire(code: int) -> bool:
    """Whether a Close may carry the code: registered and not local, or 3000 to 4999.

    RFC 6455 §7.4.2 gives 3000-3999 to libraries and 4000-4999 to applications.
    """
    return code in _WIRE_CLOSE_CODES or 3000 <= code <= 4999


def parse_close(payload: bytes) -> Close:
    """Read a Close payload: nothing, or a 2-octet code and a UTF-8 reason.

    Raises RemoteProtocolError for 1 octet, bad UTF-8 (1007), or a code barred from the wire.
    RFC 6455 §5.5.1, §7.4.
    """
    if not payload:
        return Close(CloseCode.NO_STATUS_RECEIVED)
    if len(payload) == 1:
        raise RemoteProtocolError("Close payload is one octet", "RFC 6455 §5.5.1")
    code = int.from_bytes(payload[:2], "big")
    if not is_valid_on_wire(code):
        raise RemoteProtocolError(f"close code {code} is not for the wire", "RFC 6455 §7.4")
    try:
        reason = payload[2:].decode()
    except UnicodeDecodeError:
        raise RemoteProtocolError(
            "close reason is not UTF-8", "RFC 6455 §5.5.1", close_code=CloseCode.INVALID_PAYLOAD
        ) from None
    return Close(code, reason)


def build_close(code: int, reason: str = "") -> bytes:
    """Return the payload of a Close; empty for code 1005.

    Raises LocalProtocolError for a code barred from the wire, a reason of more than 123
    octets, or a reason without a code. RFC 6455 §5.5.1.
    """
    if code == CloseCode.NO_STATUS_RECEIVED:
        if reason:
            raise LocalProtocolError("a close reason needs a close code")
        return b""
    if not is_valid_on_wire(code):
        raise LocalProtocolError(f"close code {code} is not for the wire")
    octets = encode_text(reason)
    if len(octets) > MAX_REASON_OCTETS:
        raise LocalProtocolError(f"close reason is longer than {MAX_REASON_OCTETS} octets")
    return code.to_bytes(2, "big") + octets


def cut_reason(reason: str) -> str:
    """Return as much of the reason, in whole characters, as a Close holds."""
    return encode_text(reason)[:MAX_REASON_OCTETS].decode(errors="ignore")


def encode_text(text: str) -> bytes:
    """Return the text in UTF-8. Raises LocalProtocolError where it has half a surrogate pair."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"text has no UTF-8 form: {error.reason}") from None
