"""Charsets and the ways between them; what is wrong is in tests/cases too."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http, location

MAP = "charset_map {} {{ {} }}"


def test_settings() -> None:
    text = "charset a; server { location / { charset off; source_charset b; charset_types x/y; } }"
    server = http(text).servers[0]
    assert server.settings.charset.charset is not None
    settings = server.locations[0].settings.charset
    assert settings.charset is None
    assert settings.source is not None
    assert settings.types == {"text/html", "x/y"}
    assert "text/plain" in location("").settings.charset.types


def test_octets_there_and_back() -> None:
    recodings = http(MAP.format("A b", "80 c1; 58 059;")).recodings
    forth, back = recodings["a", "b"].octets, recodings["b", "a"].octets
    assert (forth[0x80], forth[0x58], forth[0x41], forth[0xFF]) == (b"\xc1", b"Y", b"A", b"?")
    assert (back[0xC1], back[0x59], back[0x41], back[0xFF]) == (b"\x80", b"X", b"A", b"?")


def test_utf_8_there_and_back() -> None:
    recodings = http(MAP.format("koi8-r UTF-8", "80 E282AC; C1 d0b0;")).recodings
    assert recodings["koi8-r", "utf-8"].octets[0xC1] == b"\xd0\xb0"
    characters = recodings["utf-8", "koi8-r"].characters
    assert characters is not None
    assert (characters[0x20AC], characters[0x430], characters[0x41]) == (0x80, 0xC1, 0x41)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MAP.format("a A", ""), '"charset_map" between the same charsets "a" and "A"'),
        (
            MAP.format("utf-8 a", ""),
            '"charset_map" with "utf-8" charset should be given in the second column',
        ),
        (
            MAP.format("a b", "") + MAP.format("b a", ""),
            'duplicate "charset_map" between "b" and "a"',
        ),
        (MAP.format("a b", "80 81 82;"), "invalid parameters number"),
        (MAP.format("a b", "100 81;"), 'invalid value "100"'),
        (MAP.format("a b", "80 x;"), 'invalid value "x"'),
        (MAP.format("a utf-8", "80 8;"), 'invalid value "8"'),
        (MAP.format("a utf-8", "80 ff;"), 'invalid value "ff"'),
        (MAP.format("a utf-8", "80 4142;"), 'invalid value "4142"'),
        (MAP.format("a utf-8", "80 f09f9880;"), 'invalid value "f09f9880"'),
        ("charset a; source_charset b; server { }",
         'no "charset_map" between the charsets "b" and "a"'),
    ],
)  # fmt: skip
def test_what_is_wrong(text: str, message: str) -> None:
    assert faults(text) == [message]


@pytest.mark.parametrize("names", ["charset a; source_charset A;", "charset $a; source_charset b;"])
def test_no_way_is_needed(names: str) -> None:
    assert faults(f"map $uri $a {{ }} server {{ {names} }}") == []
