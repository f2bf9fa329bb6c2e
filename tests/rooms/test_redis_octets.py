from __future__ import annotations

import pytest

from upwire.errors import LocalProtocolError
from upwire.rooms.home import History, Position, Publication
from upwire.rooms.redis_octets import (
    Joined,
    Left,
    Published,
    decode_history,
    decode_member,
    decode_members,
    decode_message,
    decode_publication,
    encode_member,
    encode_publication,
    name_keys,
)

ENTRIES = [
    [b"4-0", [b"x", b"0", b"p", encode_publication(Publication("four"))]],
    [b"5-0", [b"x", b"0", b"p", encode_publication(Publication(b"five", "k", "m"))]],
]
NESTED = b"[" * 100_000
FOUR = Publication("four", offset=4)
FIVE = Publication(b"five", "k", "m", 5)


def test_keys_of_a_room_share_its_hash_tag() -> None:
    keys = name_keys("chat", "a}b{ä")

    assert keys.meta == "chat:{a%7Db%7B%C3%A4}:meta"
    assert keys.log == "chat:{a%7Db%7B%C3%A4}:log"
    assert keys.members == "chat:{a%7Db%7B%C3%A4}:members"
    assert keys.expiry == "chat:{a%7Db%7B%C3%A4}:expiry"
    assert keys.once == "chat:{a%7Db%7B%C3%A4}:once:"
    assert keys.channel == "chat:{a%7Db%7B%C3%A4}:channel"


@pytest.mark.parametrize("data", ["", "text\n", "ä\0", b"", b"\n\xff"])
def test_a_publication_comes_back(data: str | bytes) -> None:
    publication = Publication(data, 'key\n"', "\ud800", 7)

    assert decode_publication(encode_publication(publication), 7) == publication


@pytest.mark.parametrize(
    "octets",
    [
        *(b"", b"x", b"{}\n", b"[]\n", b"\xff\n"),
        b'{"text": 1, "key": "", "publisher": ""}\n',
        b'{"text": true, "key": "", "publisher": ""}\n\xff',
    ],
)
def test_what_is_no_publication_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_publication(octets, 1)


def test_a_member_comes_back() -> None:
    assert decode_member(encode_member("m\n1", {"a": [None]})) == ("m\n1", {"a": [None]})


@pytest.mark.parametrize("record", [b"", b"{}", b"[]", b'["m"]', b"[1, {}]", b'["m", []]'])
def test_what_is_no_member_is_refused(record: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_member(record)


def test_info_that_json_cannot_carry_is_refused() -> None:
    endless: dict[str, object] = {}
    endless["self"] = endless
    for info in ({"a": object()}, {"a": float("nan")}, endless):
        with pytest.raises(LocalProtocolError, match="info is not what JSON can carry"):
            encode_member("m", info)


def test_messages_of_a_channel_are_told_apart() -> None:
    octets = encode_publication(Publication("hi there"))

    assert decode_message(b"pepoch 3 " + octets) == Published(
        Position("epoch", 3), Publication("hi there", offset=3)
    )
    assert decode_message(b"j" + encode_member("m", {"a": 1})) == Joined("m", {"a": 1})
    assert decode_message(b"lm 1") == Left("m 1")


@pytest.mark.parametrize(
    "octets", [b"", b"x", b"p", b"pe 1", b"pe x {}", b"pe 1 {}", b"j", b"l\xff"]
)
def test_what_is_no_message_is_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode_message(octets)


@pytest.mark.parametrize(
    ("since", "is_complete"),
    [
        (Position("e", 3), True),
        (Position("e", 2), False),
        (Position("e", 4), False),
        (Position("other", 3), False),
        (None, False),
    ],
)
def test_a_history_says_whether_it_is_complete(since: Position | None, is_complete: bool) -> None:
    history = decode_history([b"e", b"5", ENTRIES], since, is_latest=False)

    assert history == History(Position("e", 5), (FOUR, FIVE), is_complete)


def test_a_history_without_publications_may_be_complete() -> None:
    for offset, is_complete in ((4, False), (5, True), (6, False)):
        history = decode_history([b"e", b"5", []], Position("e", offset), is_latest=False)
        assert history == History(Position("e", 5), (), is_complete)


def test_the_latest_come_in_the_order_of_offsets() -> None:
    history = decode_history([b"e", b"5", ENTRIES[::-1]], None, is_latest=True)

    assert history.publications == (FOUR, FIVE)


def test_entries_of_others_count_as_missing() -> None:
    for theirs in ([b"x", b"0", b"p", b"nonsense"], [b"a", b"b"]):
        entries = [ENTRIES[0], [b"5-0", theirs]]

        history = decode_history([b"e", b"5", entries], Position("e", 3), is_latest=False)

        assert history == History(Position("e", 5), (FOUR,), is_complete=False)


def test_members_are_told_from_what_others_have_put_there() -> None:
    records = [b'["m1",{"a":1}]', b"", b"[]", NESTED, b'["m2",{}]']

    assert decode_members(records) == {"m1": {"a": 1}, "m2": {}}


@pytest.mark.parametrize(
    "octets", [b"j" + NESTED, b"pe 1 " + NESTED, b"pe " + b"9" * 5000 + b" {}"]
)
def test_what_would_take_too_much_to_read_is_no_message(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"nested|digits"):
        decode_message(octets)
