"""Names and values of rooms as Redis keeps them, and back: pure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from upwire.errors import LocalProtocolError
from upwire.rooms.home import History, Info, Position, Publication


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of what Redis keeps of one room. once: followed by an idempotency key."""

    meta: str
    log: str
    members: str
    expiry: str
    once: str
    channel: str


@dataclass(frozen=True, slots=True)
class Published:
    """A publication as the channel brings it."""

    position: Position
    publication: Publication


@dataclass(frozen=True, slots=True)
class Joined:
    """A member that has entered."""

    member_id: str
    info: Info


@dataclass(frozen=True, slots=True)
class Left:
    """A member that has left or expired."""

    member_id: str


def name_keys(prefix: str, room: str) -> Keys:
    """Return the keys of a room. They share the hash tag `{room}`: a cluster keeps them together.

    The room is quoted, so that no brace in its name ends the tag.
    """
    tag = f"{prefix}:{{{quote(encode_text(room, 'the name of a room'), safe='')}}}"
    return Keys(
        *(f"{tag}:{name}" for name in ("meta", "log", "members", "expiry", "once:", "channel"))
    )


def encode_text(text: str, what: str) -> bytes:
    """Return text in UTF-8. Raises LocalProtocolError for what is no text, lone surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise LocalProtocolError(f"{what} has a lone surrogate, which UTF-8 lacks") from None


def encode_publication(publication: Publication) -> bytes:
    """Return a publication without its offset: a line of JSON, and the data as they are."""
    is_text = isinstance(publication.data, str)
    head = {"text": is_text, "key": publication.key, "publisher": publication.publisher}
    data = publication.data
    octets = encode_text(data, "a publication") if isinstance(data, str) else bytes(data)
    return json.dumps(head).encode() + b"\n" + octets


def decode_publication(octets: bytes, offset: int) -> Publication:
    """Return the publication that `encode_publication()` has written. Raises ValueError."""
    line, _, data = octets.partition(b"\n")
    match _read_json(line):
        case {"text": bool(is_text), "key": str(key), "publisher": str(publisher)}:
            return Publication(data.decode() if is_text else data, key, publisher, offset)
    raise ValueError("not a publication")


def encode_member(member_id: str, info: Info) -> bytes:
    """Return a member's record. Raises LocalProtocolError where JSON cannot carry its info."""
    try:
        return json.dumps([member_id, dict(info)], allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise LocalProtocolError(f"info is not what JSON can carry: {error}") from None


def decode_member(record: bytes) -> tuple[str, Info]:
    """Return what `encode_member()` was given. Raises ValueError."""
    match _read_json(record):
        case [str(member_id), dict(info)]:
            return member_id, info
    raise ValueError("not a member")


def decode_members(records: Iterable[bytes]) -> dict[str, Info]:
    """Return members by their ids, without what others have put there."""
    members = {}
    for record in records:
        with contextlib.suppress(ValueError):
            member_id, info = decode_member(record)
            members[member_id] = info
    return members


def decode_position(epoch: bytes, offset: bytes) -> Position:
    """Return a position as the scripts answer it."""
    return Position(epoch.decode(), int(offset))


def decode_message(octets: bytes) -> Published | Joined | Left:
    """Return what a room's channel has brought. Raises ValueError for what is not ours."""
    kind, rest = octets[:1], octets[1:]
    if kind == b"p":
        epoch, offset, octets = rest.split(b" ", 2)
        position = decode_position(epoch, offset)
        return Published(position, decode_publication(octets, position.offset))
    if kind == b"j":
        return Joined(*decode_member(rest))
    if kind == b"l":
        return Left(rest.decode())
    raise ValueError("not a message of a room")


def decode_history(reply: Sequence[Any], since: Position | None, *, is_latest: bool) -> History:
    """Return what `READ` has answered. is_latest: the entries come the latest first.

    reply is typed by its script alone: epoch, offset, and entries of an id and its fields.
    """
    position = decode_position(reply[0], reply[1])
    entries = reversed(reply[2]) if is_latest else reply[2]
    publications = tuple(_readable(entries))
    behind = since or Position(position.epoch, 0)
    wanted = range(behind.offset + 1, position.offset + 1)
    return History(
        position,
        publications,
        is_complete=behind.epoch == position.epoch
        and behind.offset <= position.offset
        and [publication.offset for publication in publications] == list(wanted),
    )


def _readable(entries: Iterable[Any]) -> Iterator[Publication]:
    """Yield the publications of a log; what others have put there counts as missing."""
    for entry_id, fields in entries:
        with contextlib.suppress(ValueError, IndexError):
            yield decode_publication(fields[3], int(entry_id.partition(b"-")[0]))


def _read_json(octets: bytes) -> Any:
    """Return what JSON says. Raises ValueError for anything else, and what is nested too deeply."""
    try:
        return json.loads(octets)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
