"""How locations match, nest and clash."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http
from upwire.conf.model import MatchKind


@pytest.mark.parametrize(
    ("words", "kind", "pattern"),
    [
        ("/a", MatchKind.PREFIX, "/a"),
        ("= /a", MatchKind.EXACT, "/a"),
        ("=/a", MatchKind.EXACT, "/a"),
        ("^~ /a", MatchKind.PREFIX_NO_REGEX, "/a"),
        ("^~/a", MatchKind.PREFIX_NO_REGEX, "/a"),
        ("~ a", MatchKind.REGEX, "a"),
        ("~a", MatchKind.REGEX, "a"),
        ("~* a", MatchKind.REGEX_NOCASE, "a"),
        ("~*a", MatchKind.REGEX_NOCASE, "a"),
        ("@a", MatchKind.NAMED, "a"),
        ("= @a", MatchKind.EXACT, "@a"),
    ],
)
def test_words(words: str, kind: MatchKind, pattern: str) -> None:
    (found,) = http(f"server {{ location {words} {{ }} }}").servers[0].locations
    assert (found.kind, found.pattern) == (kind, pattern)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("location ! /a { }", 'invalid location modifier "!"'),
        ("location /a { } location ^~ /a { }", 'duplicate location "/a"'),
        ("location /a { location /b { } }", 'location "/b" is outside location "/a"'),
        (
            "location = /a { location ~ b { } }",
            'location "b" cannot be inside the exact location "/a"',
        ),
        (
            "location @a { location ~ b { } }",
            'location "b" cannot be inside the named location "@a"',
        ),
        (
            "location /a { location @b { } }",
            'named location "@b" can be on the server level only',
        ),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert faults(f"server {{ {text} }}") == [message]


def test_what_is_no_clash() -> None:
    text = "location /a { } location = /a { } location ~ /a { } location ~ /a { } location @a { }"
    assert faults(f"server {{ {text} location ~ /a {{ location /b {{ }} }} }}") == [
        'location "/b" is outside location "/a"'
    ]


@pytest.mark.parametrize("block", ["if ($host)", "limit_except GET"])
def test_conditions_pass_without_a_uri(block: str) -> None:
    message = '"proxy_pass" cannot have URI part in location given by regular expression, '
    message += 'or inside named location, or inside "if" statement, or inside "limit_except" block'
    text = "server {{ location / {{ {} {{ proxy_pass http://a{}; }} }} }}"
    assert faults(text.format(block, "")) == []
    assert faults(text.format(block, "/")) == [message]
