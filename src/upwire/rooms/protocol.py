"""The messages between a browser and its rooms: JSON texts, read and made; nothing waits here.

A command of the browser has an id, and gets a reply of the same id. What comes of itself is a
push. docs/rooms.md shows every message.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from upwire.errors import UpwireError
from upwire.rooms.home import Info, Position, Publication

VERSION = 1
NESTING_MAX = 32
INFO_OCTETS_MAX = 4096
NAME_OCTETS_MAX = 256  # of a room, a key, an epoch
HISTORY_MAX = 1000
WINDOW_MAX = 1000
INTEGER_MAX = 2**53 - 1  # what JavaScript's numbers hold exactly

# Any: the values are JSON's; whoever reads one checks it.
Fields = Mapping[str, Any]


class CommandRefused(UpwireError):
    """A command that is not done; the browser is told so, and goes on.

    code: one word for programs, such as "forbidden". text: one line for people.
    id: of the command; None where it has told none.
    """

    def __init__(self, code: str, text: str, *, id: int | None = None) -> None:  # noqa: A002
        super().__init__(f"{code}: {text}")
        self.code = code
        self.text = text
        self.id = id


@dataclass(frozen=True, slots=True)
class Connect:
    """The first command: which version of the protocol the browser speaks."""

    version: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a reply and nothing else."""


@dataclass(frozen=True, slots=True)
class Join:
    """Enter a room.

    history: so many of the latest publications are wanted. since: or rather all behind here.
    presence: who is in the room is wanted, and who comes and goes.
    window: so many publications may be on their way, 0 for any number; None: none are
    acknowledged.
    """

    room: str
    info: Info
    history: int = 0
    since: Position | None = None
    presence: bool = False
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Recover:
    """Ask for what is behind a position, where some of it was dropped on its way."""

    room: str
    since: Position


@dataclass(frozen=True, slots=True)
class Update:
    """Change what was said when joining; None changes nothing."""

    room: str
    info: Info | None = None
    window: int | None = None


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish JSON. A second one of the same idempotency_key gets the first one's position."""

    room: str
    data: Any
    key: str = ""
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class AskPresence:
    room: str


@dataclass(frozen=True, slots=True)
class AskHistory:
    room: str
    since: Position | None = None
    limit: int = HISTORY_MAX


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The browser has shown the publication of this offset, and all before it."""

    room: str
    offset: int


@dataclass(frozen=True, slots=True)
class Leave:
    room: str


Command = (
    Connect
    | Ping
    | Join
    | Recover
    | Update
    | Publish
    | AskPresence
    | AskHistory
    | Acknowledge
    | Leave
)


def read_command(text: str) -> tuple[int, Command]:
    """Return a command and its id.

    Raises CommandRefused for any other text. Fields that are not known are passed over.
    """
    message = _read_object(text)
    number = _count(message, "id")
    method = message.get("method")
    read = _READERS.get(method) if isinstance(method, str) else None
    if read is None:
        raise CommandRefused("unknown_method", "there is no such method", id=number)
    try:
        return number, read(message)
    except CommandRefused as refused:
        raise CommandRefused(refused.code, refused.text, id=number) from None


def encode(value: object) -> str:
    """Return JSON; ValueError for what neither it nor UTF-8 can carry, such as infinity."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text.encode()  # a lone surrogate
    return text


def encode_reply(number: int, result: Mapping[str, object]) -> str:
    return encode({"id": number, "result": result})


def encode_refusal(refused: CommandRefused) -> str:
    return encode({"id": refused.id, "error": {"code": refused.code, "text": refused.text}})


def encode_push(kind: str, room: str, **fields: object) -> str:
    return encode({"push": kind, "room": room, **fields})


def encode_publication(room: str, publication: Publication) -> str | bytes:
    """Return the push of a publication.

    Its text is JSON, or becomes a string of JSON. Octets stand behind the push and a line feed.
    """
    push = encode({"push": "publication", "room": room, **_describe(publication)})
    if isinstance(publication.data, bytes):
        return push.encode() + b"\n" + publication.data
    return f'{push[:-1]},"data":{_json_of(publication.data)}}}'


def list_publication(publication: Publication) -> dict[str, object]:
    """Return a publication as replies have it; octets are in base64 there."""
    if isinstance(publication.data, bytes):
        data = {"base64": base64.b64encode(publication.data).decode()}
    else:
        data = {"data": _value_of(publication.data)}
    return {**_describe(publication), **data}


def describe_position(position: Position) -> dict[str, object]:
    return {"epoch": position.epoch, "offset": position.offset}


def _describe(publication: Publication) -> dict[str, object]:
    described: dict[str, object] = {"offset": publication.offset}
    if publication.key:
        described["key"] = publication.key
    if publication.publisher:
        described["publisher"] = publication.publisher
    return described


def _json_of(text: str) -> str:
    try:
        _load(text)
    except ValueError:
        return encode(text)
    return text


def _value_of(text: str) -> Any:
    try:
        return _load(text)
    except ValueError:
        return text


def _load(text: str) -> Any:
    """Read JSON; ValueError for anything else, and for what is nested too deeply.

    So it is for what encode() refuses: 1e999 is infinity here.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _check_nesting(value)
    encode(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _check_nesting(value: object) -> None:
    level = [value]
    for _ in range(NESTING_MAX):
        level = [inner for outer in level for inner in _contents(outer)]
        if not level:
            return
    raise ValueError("it is nested too deeply")


def _contents(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _read_object(text: str) -> Fields:
    try:
        message = _load(text)
    except ValueError as error:
        raise CommandRefused("bad_request", f"the message is no JSON: {error}") from None
    if not isinstance(message, dict):
        raise CommandRefused("bad_request", "the message is no JSON object")
    return message


# What the commands are made of


def _is_count(value: object, most: int = INTEGER_MAX) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _wrong(name: str, what: str) -> CommandRefused:
    return CommandRefused("bad_request", f"{name} is {what}")


def _text(fields: Fields, name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if not isinstance(value, str) or len(value.encode()) > NAME_OCTETS_MAX:
        raise _wrong(name, f"a string of at most {NAME_OCTETS_MAX} octets")
    return value


def _count(fields: Fields, name: str, default: int | None = None, most: int = INTEGER_MAX) -> int:
    value = fields.get(name, default)
    if not _is_count(value, most):
        raise _wrong(name, f"an integer from 0 to {most}")
    assert isinstance(value, int)
    return value


def _flag(fields: Fields, name: str) -> bool:
    value = fields.get(name, False)
    if not isinstance(value, bool):
        raise _wrong(name, "true or false")
    return value


def _info(fields: Fields) -> Info:
    value = fields.get("info", {})
    if not isinstance(value, dict) or len(encode(value).encode()) > INFO_OCTETS_MAX:
        raise _wrong("info", f"an object of at most {INFO_OCTETS_MAX} octets")
    return value


def _position(fields: Fields) -> Position:
    value = fields.get("since")
    if not isinstance(value, dict):
        raise _wrong("since", "an object with epoch and offset")
    return Position(_text(value, "epoch"), _count(value, "offset"))


def _optional_position(fields: Fields) -> Position | None:
    return None if fields.get("since") is None else _position(fields)


def _optional_window(fields: Fields) -> int | None:
    return None if fields.get("window") is None else _count(fields, "window", most=WINDOW_MAX)


def _read_join(fields: Fields) -> Join:
    return Join(
        room=_text(fields, "room"),
        info=_info(fields),
        history=_count(fields, "history", 0, HISTORY_MAX),
        since=_optional_position(fields),
        presence=_flag(fields, "presence"),
        window=_optional_window(fields),
    )


def _read_update(fields: Fields) -> Update:
    return Update(
        room=_text(fields, "room"),
        info=_info(fields) if "info" in fields else None,
        window=_optional_window(fields),
    )


def _read_publish(fields: Fields) -> Publish:
    if "data" not in fields:
        raise _wrong("data", "missing")
    return Publish(
        room=_text(fields, "room"),
        data=fields["data"],
        key=_text(fields, "key", ""),
        idempotency_key=_text(fields, "idempotency_key", ""),
    )


def _read_history(fields: Fields) -> AskHistory:
    return AskHistory(
        room=_text(fields, "room"),
        since=_optional_position(fields),
        limit=_count(fields, "limit", HISTORY_MAX, HISTORY_MAX),
    )


_READERS: Mapping[str, Callable[[Fields], Command]] = {
    "connect": lambda fields: Connect(_count(fields, "version")),
    "ping": lambda fields: Ping(),
    "join": _read_join,
    "recover": lambda fields: Recover(_text(fields, "room"), _position(fields)),
    "update": _read_update,
    "publish": _read_publish,
    "presence": lambda fields: AskPresence(_text(fields, "room")),
    "history": _read_history,
    "ack": lambda fields: Acknowledge(_text(fields, "room"), _count(fields, "offset")),
    "leave": lambda fields: Leave(_text(fields, "room")),
}
