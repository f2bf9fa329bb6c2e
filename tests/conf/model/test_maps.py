"""The lines of a map."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a;", "invalid number of the map parameters"),
        ("a b c;", "invalid number of the map parameters"),
        ("a 1; a 2;", 'conflicting parameter "a"'),
        ("default 1; default 2;", "duplicate default map parameter"),
        ("hostnames; a..b 1;", 'invalid hostname or wildcard "a..b"'),
        ("hostnames; a.b 1; .a.b 2;", 'conflicting parameter ".a.b"'),
        ("hostnames; *.a.b 1; *.A.b 2;", 'conflicting parameter "*.a.b"'),
        ("hostnames; a.* 1; a.* 2;", 'conflicting parameter "a.*"'),
        ("~[ 1;", 'pcre2_compile() failed: missing terminating ] for character class in "["'),
    ],
)
def test_faults(lines: str, message: str) -> None:
    assert faults(f"map $uri $x {{ {lines} }}") == [message]


def test_without_hostnames_a_star_is_a_star() -> None:
    found = http("map $uri $x { *.a 1; .b 2; }").maps["x"]
    assert set(found.exact) == {"*.a", ".b"}


def test_the_last_map_of_a_variable_counts() -> None:
    maps = http("map $uri $x { default 1; } map $host $X { default 2; }").maps
    assert [(name, found.default.text) for name, found in maps.items()] == [("x", "2")]
