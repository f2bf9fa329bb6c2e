"""The types of ASGI 3, and what of its messages every kind of scope needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from upwire.errors import LocalProtocolError
from upwire.wire.fields import Headers

# Any: ASGI defines its scopes and messages as dicts of whatever belongs to each type.
Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiCallable = Callable[[Scope, Receive, Send], Awaitable[None]]

VERSION = {"version": "3.0", "spec_version": "2.5"}
"""What a scope says of ASGI: 2.4 brought the OSError of a send to nobody, 2.5 `reason`."""


def message_type(message: object) -> str:
    """Return the type of a message of an application. Raises LocalProtocolError if it has none."""
    if isinstance(message, dict) and isinstance(found := message.get("type"), str):
        return found
    raise LocalProtocolError(f"an ASGI message is a dict with a type, not {message!r:.80}")


def read_headers(lines: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Return fields as an application gives them: pairs of octets.

    Raises LocalProtocolError for what is none, or may not be sent.
    """
    try:
        return Headers([(bytes(n).decode("latin-1"), bytes(v).decode("latin-1")) for n, v in lines])
    except (TypeError, ValueError) as error:
        raise LocalProtocolError(f"ASGI headers are pairs of octets: {error}") from error


def read_body(message: Message) -> bytes:
    """Return the content that a message has. Raises LocalProtocolError for what is no octets."""
    body = message.get("body", b"")
    if isinstance(body, bytes):
        return body
    if isinstance(body, (bytearray, memoryview)):
        return bytes(body)
    raise LocalProtocolError(f"the body of an ASGI message is octets, not {body!r:.80}")


def unexpected(message: Message, state: str) -> LocalProtocolError:
    """Return the error for a message that has no place in this state."""
    return LocalProtocolError(f"unexpected ASGI message {message['type']!r} {state}")
