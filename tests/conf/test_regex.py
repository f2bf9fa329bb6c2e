"""Expressions as PCRE2 reads them, over octets."""

from __future__ import annotations

import pytest

from upwire.conf.regex import Regex, RegexFailed
from upwire.errors import ConfigError


def test_captures_come_with_the_whole_match() -> None:
    regex = Regex(r"^/(?<name>[^/]+)(/.*)?$")
    assert regex.search("/a") == ("/a", "a", "")
    assert regex.search("/a/b") == ("/a/b", "a", "/b")
    assert regex.search("a") is None
    assert (regex.groups, regex.names) == (2, {"name": 1})


def test_case_counts_unless_told() -> None:
    assert Regex("^ABC$").search("abc") is None
    assert Regex("^ABC$", is_caseless=True).search("abc") == ("abc",)


def test_text_is_octets() -> None:
    text = "é".encode().decode("latin-1")
    assert Regex("^..$").search(text) == (text,)
    assert Regex(text).search("x" + text) == (text,)
    assert Regex("\xe9", is_caseless=True).search("\xc9") is None


def test_pcre_syntax_that_python_does_not_have() -> None:
    assert Regex(r"^(?|a(.)|b(.))\K\d").search("bx1") == ("1", "x")


def test_long_texts_do_not_run_out_of_stack() -> None:
    text = "ab" * 2000
    assert Regex("^((a|b)*c?)*$").search(text) == (text, "", "b")


def test_backtracking_ends_at_the_limit() -> None:
    with pytest.raises(RegexFailed, match=r'failed: -47 on "/a+b" using "\^/\(a\+\)\+\$"'):
        Regex("^/(a+)+$").search("/" + "a" * 40 + "b")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", 'pcre2_compile() failed: missing closing parenthesis in "("'),
        ("a)b", 'pcre2_compile() failed: unmatched closing parenthesis in "a)b" at "b"'),
    ],
)
def test_a_wrong_expression_is_told_in_the_words_of_nginx(pattern: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Regex(pattern)
    assert caught.value.problems[0].message == message


def test_expressions_are_values() -> None:
    assert Regex("a") == Regex("a")
    assert Regex("a") != Regex("a", is_caseless=True)
    assert Regex("a") != "a"
    assert len({Regex("a"), Regex("a"), Regex("b")}) == 2
    assert repr(Regex("a")) == "Regex('a', is_caseless=False)"
