"""What a backend of ours has received, as it tells the prober."""

from __future__ import annotations

import json
from dataclasses import dataclass

from upwire.errors import LocalProtocolError
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead

_MARK = "upwire-probe"


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived at the backend, on the connection of this number."""

    head: RequestHead
    connection: int = 0


def encode(received: Received) -> str:
    """Return the line of JSON by which a backend answers."""
    head = received.head
    return json.dumps(
        {
            _MARK: 1,
            "connection": received.connection,
            "method": head.method,
            "target": head.target,
            "version": list(head.version),
            "fields": [list(line) for line in head.headers.items()],
        }
    )


def decode(text: str | bytes) -> Received | None:
    """Read what encode() wrote; None for anything else, which a server may well send."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return None
    match told:
        case {
            "upwire-probe": 1,
            "connection": int(connection),
            "method": str(method),
            "target": str(target),
            "version": [int(major), int(minor)],
            "fields": list(lines),
        }:
            headers = _read_fields(lines)
            if headers is not None:
                return Received(RequestHead(method, target, (major, minor), headers), connection)
    return None


def _read_fields(lines: list[object]) -> Headers | None:
    fields: list[tuple[str, str]] = []
    for line in lines:
        match line:
            case [str(name), str(value)]:
                fields.append((name, value))
            case _:
                return None
    try:
        return Headers(fields)
    except LocalProtocolError:
        return None
