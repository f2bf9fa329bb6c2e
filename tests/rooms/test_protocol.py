from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upwire.rooms.home import Position, Publication
from upwire.rooms.protocol import (
    HISTORY_MAX,
    INFO_OCTETS_MAX,
    INTEGER_MAX,
    NAME_OCTETS_MAX,
    NESTING_MAX,
    WINDOW_MAX,
    Acknowledge,
    AskHistory,
    AskPresence,
    Command,
    CommandRefused,
    Connect,
    Join,
    Leave,
    Ping,
    Publish,
    Recover,
    Update,
    describe_position,
    encode,
    encode_publication,
    encode_push,
    encode_refusal,
    encode_reply,
    list_publication,
    read_command,
)


def command(**fields: Any) -> str:
    return json.dumps({"id": 7, **fields})


SINCE = {"epoch": "e1", "offset": 3}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (command(method="connect", version=1), Connect(1)),
        (command(method="ping"), Ping()),
        (command(method="join", room="lobby"), Join("lobby", {})),
        (
            command(
                method="join",
                room="lobby",
                info={"name": "Ada"},
                history=20,
                since=SINCE,
                presence=True,
                window=4,
            ),
            Join("lobby", {"name": "Ada"}, 20, Position("e1", 3), True, 4),
        ),
        (command(method="join", room="lobby", since=None), Join("lobby", {})),
        (
            command(method="recover", room="lobby", since=SINCE),
            Recover("lobby", Position("e1", 3)),
        ),
        (command(method="update", room="lobby"), Update("lobby")),
        (
            command(method="update", room="lobby", info={}, window=0),
            Update("lobby", info={}, window=0),
        ),
        (
            command(method="publish", room="lobby", data=None),
            Publish("lobby", None),
        ),
        (
            command(method="publish", room="lobby", data=[1], key="k", idempotency_key="i"),
            Publish("lobby", [1], "k", "i"),
        ),
        (command(method="presence", room="lobby"), AskPresence("lobby")),
        (command(method="history", room="lobby"), AskHistory("lobby")),
        (
            command(method="history", room="lobby", since=SINCE, limit=5),
            AskHistory("lobby", Position("e1", 3), 5),
        ),
        (command(method="ack", room="lobby", offset=9), Acknowledge("lobby", 9)),
        (command(method="leave", room="lobby"), Leave("lobby")),
        (command(method="ping", later="passed over"), Ping()),
    ],
)
def test_each_command_is_read(text: str, expected: Command) -> None:
    assert read_command(text) == (7, expected)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"id": 1, "method": "ping"}x',
        "[]",
        "null",
        '"ping"',
        "{}",
        '{"method": "ping"}',
        '{"id": "1", "method": "ping"}',
        '{"id": -1, "method": "ping"}',
        '{"id": true, "method": "ping"}',
        '{"id": 1.0, "method": "ping"}',
        f'{{"id": {INTEGER_MAX + 1}, "method": "ping"}}',
        f'{{"id": {"9" * 5000}, "method": "ping"}}',
        '{"id": NaN, "method": "ping"}',
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
)
def test_what_has_no_id_is_refused_without_one(text: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        read_command(text)

    assert (caught.value.code, caught.value.id) == ("bad_request", None)


@pytest.mark.parametrize("method", [None, 1, "", "Join", "__init__", ["join"], {}])
def test_an_unknown_method_is_told_with_the_id(method: object) -> None:
    with pytest.raises(CommandRefused) as caught:
        read_command(command(method=method))

    assert (caught.value.code, caught.value.id) == ("unknown_method", 7)


@pytest.mark.parametrize(
    "fields",
    [
        {"method": "connect"},
        {"method": "connect", "version": "1"},
        {"method": "join"},
        {"method": "join", "room": 1},
        {"method": "join", "room": "x" * (NAME_OCTETS_MAX + 1)},
        {"method": "join", "room": "é" * (NAME_OCTETS_MAX // 2 + 1)},
        {"method": "join", "room": "r", "info": "Ada"},
        {"method": "join", "room": "r", "info": {"name": "x" * INFO_OCTETS_MAX}},
        {"method": "join", "room": "r", "history": HISTORY_MAX + 1},
        {"method": "join", "room": "r", "history": None},
        {"method": "join", "room": "r", "presence": 1},
        {"method": "join", "room": "r", "window": WINDOW_MAX + 1},
        {"method": "join", "room": "r", "since": 3},
        {"method": "join", "room": "r", "since": {"epoch": 1, "offset": 1}},
        {"method": "join", "room": "r", "since": {"epoch": "e", "offset": -1}},
        {"method": "recover", "room": "r"},
        {"method": "recover", "room": "r", "since": None},
        {"method": "update", "room": "r", "info": None},
        {"method": "update", "room": "r", "window": -1},
        {"method": "publish", "room": "r"},
        {"method": "publish", "room": "r", "data": 1, "key": None},
        {"method": "publish", "room": "r", "data": 1, "idempotency_key": 1},
        {"method": "history", "room": "r", "limit": 0.5},
        {"method": "ack", "room": "r"},
        {"method": "leave"},
    ],
)
def test_a_wrong_field_is_told_with_the_id(fields: dict[str, object]) -> None:
    with pytest.raises(CommandRefused) as caught:
        read_command(command(**fields))

    assert (caught.value.code, caught.value.id) == ("bad_request", 7)
    assert caught.value.text


@pytest.mark.parametrize("data", [r'"\ud800"', "1e999", '{"\\udfff": 1}'])
def test_what_cannot_be_sent_on_is_refused(data: str) -> None:
    with pytest.raises(CommandRefused) as caught:
        read_command(f'{{"id": 7, "method": "publish", "room": "r", "data": {data}}}')

    assert caught.value.code == "bad_request"


def nested(levels: int) -> str:
    data = "[" * levels + "]" * levels
    return f'{{"id": 7, "method": "publish", "room": "r", "data": {data}}}'


def test_nesting_has_a_limit() -> None:
    read_command(nested(NESTING_MAX - 1))  # the command is a level, too

    with pytest.raises(CommandRefused, match="nested too deeply"):
        read_command(nested(NESTING_MAX))


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    with pytest.raises(CommandRefused):
        read_command(text)


def test_a_reply_has_the_id_of_its_command() -> None:
    assert encode_reply(7, {"members": {"é": 1}}) == '{"id":7,"result":{"members":{"é":1}}}'


def test_a_refusal_tells_a_code_and_a_text() -> None:
    refused = CommandRefused("forbidden", "not here", id=7)

    assert encode_refusal(refused) == '{"id":7,"error":{"code":"forbidden","text":"not here"}}'
    assert str(refused) == "forbidden: not here"


def test_a_push_names_its_room() -> None:
    assert encode_push("left", "r", member="m1") == '{"push":"left","room":"r","member":"m1"}'


@pytest.mark.parametrize("value", [float("nan"), "\ud800"])
def test_encode_refuses_what_no_browser_could_read(value: object) -> None:
    with pytest.raises(ValueError, match=r"float|utf-8"):
        encode(value)


def test_a_publication_keeps_its_json() -> None:
    publication = Publication('{"text": 1.50}', key="k", publisher="m1", offset=4)

    assert encode_publication('"r"', publication) == (
        '{"push":"publication","room":"\\"r\\"","offset":4,"key":"k","publisher":"m1",'
        '"data":{"text": 1.50}}'
    )


@pytest.mark.parametrize(
    "text", ["hello", "", "NaN", "[" * 100, "1}, {", "1e999", r'"\ud800"', r'{"\udfff": 1}']
)
def test_a_text_that_is_no_json_becomes_a_string(text: str) -> None:
    push = json.loads(str(encode_publication("r", Publication(text, offset=1))))

    assert push["data"] == text
    assert list_publication(Publication(text, offset=1)) == {"offset": 1, "data": text}


def test_a_text_in_json_is_listed_as_its_value() -> None:
    publication = Publication('{"text": [1.50, null]}', offset=4)

    assert list_publication(publication) == {"offset": 4, "data": {"text": [1.5, None]}}


def test_octets_follow_their_push() -> None:
    publication = Publication(b"\n\x00\xff", offset=5)

    assert encode_publication("r", publication) == (
        b'{"push":"publication","room":"r","offset":5}\n\n\x00\xff'
    )
    assert list_publication(publication) == {"offset": 5, "base64": "CgD/"}


def test_the_guide_shows_every_command() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "rooms.md").read_text()
    shown = [read_command(line[2:])[1] for line in guide.splitlines() if line.startswith("→ ")]

    assert {type(command) for command in shown} == set(get_args(Command))


def test_a_position_is_told_by_its_parts() -> None:
    assert describe_position(Position("e1", 3)) == SINCE
