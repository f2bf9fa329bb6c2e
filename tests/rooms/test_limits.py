"""Names, sizes and rates: what a room takes."""

from __future__ import annotations

from typing import Any

import pytest

from upwire.errors import LocalProtocolError, RoomRefused
from upwire.rooms.limits import (
    NAME_OCTETS,
    Allowance,
    OutboxLimits,
    RoomLimits,
    check_message,
    check_name,
)


@pytest.mark.parametrize(
    "name",
    [
        "lobby",
        "__proto__",
        "constructor",
        "*",
        "a?[b-c]{d}",
        "a b",
        "../..",
        "grüße 👩‍👩‍👧",
        "a" * 255,
    ],
)
def test_names_are_free(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "not empty"),
        (b"lobby", "is text"),
        (None, "is text"),
        ("a" * (NAME_OCTETS + 1), "255 octets"),
        ("é" * 128, "255 octets"),
        ("a" * 2**20, "255 octets"),
        ("a\0b", "readable"),
        ("a\nb", "readable"),
        ("a\r", "readable"),
        ("\x7f", "readable"),
        ("\x85", "readable"),
        ("\ud800", "readable"),
        ("\udfff\ud800", "readable"),
    ],
)
def test_hostile_names_are_refused(name: Any, message: str) -> None:  # Any: what is no text too
    with pytest.raises(RoomRefused, match=message) as raised:
        check_name(name)
    assert raised.value.reason == "name"
    assert len(str(raised.value)) < 200


@pytest.mark.parametrize("data", ["", "abcd", "éé", b"abcd"])
def test_messages_within_the_limit_pass(data: str | bytes) -> None:
    check_message(data, "", 4)


@pytest.mark.parametrize(
    ("data", "key"), [("abcde", ""), ("ééé", ""), (b"abcde", ""), ("abc", "de")]
)
def test_messages_past_the_limit_are_refused(data: str | bytes, key: str) -> None:
    with pytest.raises(RoomRefused, match="more than 4 octets") as raised:
        check_message(data, key, 4)
    assert raised.value.reason == "size"


def test_what_is_no_message_is_refused() -> None:
    nothing: Any = 7
    with pytest.raises(TypeError, match="not 7"):
        check_message(nothing, "", 4)


@pytest.mark.parametrize(("data", "key"), [("\ud800", ""), ("", "\ud800")])
def test_text_that_is_no_text_is_refused(data: str, key: str) -> None:
    with pytest.raises(LocalProtocolError):
        check_message(data, key, 100)


@pytest.mark.parametrize("field", ["members", "message_octets", "publishes_per_s", "publish_burst"])
def test_limits_are_positive(field: str) -> None:
    limits: Any = {field: 0}
    with pytest.raises(LocalProtocolError, match=f"{field} must be more than 0"):
        RoomLimits(**limits)


@pytest.mark.parametrize("field", ["messages", "octets"])
def test_limits_of_an_outbox_are_positive(field: str) -> None:
    limits: Any = {field: -1}
    with pytest.raises(LocalProtocolError, match=f"{field} must be more than 0, not -1"):
        OutboxLimits(**limits)


def test_an_allowance_fills_again() -> None:
    allowance = Allowance(2.0, 3, 100.0)
    assert [allowance.take(100.0) for _ in range(4)] == [True, True, True, False]
    assert not allowance.take(100.4)
    assert allowance.take(100.5)
    assert not allowance.take(100.5)
    assert [allowance.take(1000.0) for _ in range(4)] == [True, True, True, False]
