from __future__ import annotations

import pytest

from upwire.demo.names import DEFAULT_ROOM, NAME_LENGTH_MAX, clean_line, clean_name, clean_room


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("  Ada \t Lovelace\n", "Ada Lovelace"),
        ("a\x00b\x1b[31mc", "ab[31mc"),
        ("evil\u202etxt", "eviltxt"),  # right-to-left override
        ("\u200b\u2060", ""),
        ("<b>bold</b>", "<b>bold</b>"),  # it is shown as text
        ("e\u0301", "é"),
        ("x" * 30, "x" * 24),
        ("x" * 23 + " y", "x" * 23),
    ],
)
def test_a_line_has_only_what_can_be_seen(text: str, shown: str) -> None:
    assert clean_line(text, 24) == shown


def test_a_name_that_nobody_has_stays() -> None:
    assert clean_name(" Ada ", taken=(), fallback="Guest 1") == "Ada"


def test_without_a_name_there_is_the_fallback() -> None:
    assert clean_name("\u202e", taken=(), fallback="Guest 1") == "Guest 1"


def test_a_name_that_is_taken_gets_a_number() -> None:
    assert clean_name("Ada", taken={"Ada", "Ada 2"}, fallback="") == "Ada 3"


def test_a_long_name_that_is_taken_keeps_its_length() -> None:
    name = clean_name("x" * 50, taken={"x" * NAME_LENGTH_MAX}, fallback="")

    assert name == "x" * (NAME_LENGTH_MAX - 2) + " 2"


@pytest.mark.parametrize(
    ("name", "room"),
    [
        ("Lobby", "lobby"),
        ("  Café & Bar!  ", "café-bar"),
        ("../../etc", "etc"),
        ("", DEFAULT_ROOM),
        ("///", DEFAULT_ROOM),
    ],
)
def test_a_room_is_letters_digits_and_hyphens(name: str, room: str) -> None:
    assert clean_room(name) == room
