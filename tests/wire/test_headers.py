"""Headers, and the lists in their values."""

from __future__ import annotations

import re
from collections import OrderedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upwire.errors import LocalProtocolError
from upwire.wire import _headers
from upwire.wire.fields import Headers, has_token, is_token, parse_list, tokens

NAMES = st.sampled_from(["Host", "host", "A", "a", "b", "X-Y"])
VALUES = st.text(st.characters(codec="latin-1", exclude_characters="\0\r\n"), max_size=5)


@pytest.fixture
def cookies() -> Headers:
    return Headers([("Set-Cookie", "a=1"), ("Host", "h"), ("set-cookie", "b=2")])


def test_lines_keep_order_case_and_duplicates(cookies: Headers) -> None:
    assert list(cookies.items()) == [("Set-Cookie", "a=1"), ("Host", "h"), ("set-cookie", "b=2")]
    assert list(cookies) == ["Set-Cookie", "Host", "set-cookie"]
    assert len(cookies) == 3


def test_names_are_found_without_case(cookies: Headers) -> None:
    assert cookies.get("SET-COOKIE") == "a=1"
    assert cookies["hOST"] == "h"
    assert cookies.get_all("SET-cookie") == ["a=1", "b=2"]
    assert cookies.combined("Set-Cookie") == "a=1, b=2"
    assert "HOST" in cookies


def test_absent_names(cookies: Headers) -> None:
    assert cookies.get("X") is None
    assert cookies.get("X", "default") == "default"
    assert cookies.get_all("X") == []
    assert cookies.combined("X") is None
    assert "X" not in cookies
    assert 7 not in cookies
    with pytest.raises(KeyError, match="X"):
        cookies["X"]


def test_set_replaces_all_lines_in_the_place_of_the_first(cookies: Headers) -> None:
    cookies.set("SET-COOKIE", "c=3")
    assert list(cookies.items()) == [("SET-COOKIE", "c=3"), ("Host", "h")]


def test_set_appends_what_is_absent(cookies: Headers) -> None:
    cookies.set("X", "1")
    assert list(cookies.items())[-1] == ("X", "1")


def test_remove_takes_all_lines_of_a_name(cookies: Headers) -> None:
    cookies.remove("sEt-cookie")
    cookies.remove("X")
    assert list(cookies.items()) == [("Host", "h")]


def test_a_copy_is_independent(cookies: Headers) -> None:
    copy = cookies.copy()
    assert copy == cookies
    copy.add("X", "1")
    assert "X" not in cookies


@pytest.mark.parametrize("source", [OrderedDict(A="1", B="2"), [("A", "1"), ("B", "2")]])
def test_sources_of_lines(source: OrderedDict[str, str] | list[tuple[str, str]]) -> None:
    assert list(Headers(source).items()) == [("A", "1"), ("B", "2")]


def test_equality_ignores_the_case_of_names_only() -> None:
    assert Headers([("A", "x")]) == Headers([("a", "x")])
    assert Headers([("A", "x")]) != Headers([("A", "X")])
    assert Headers([("A", "x"), ("B", "y")]) != Headers([("B", "y"), ("A", "x")])
    assert Headers() != []


def test_repr_shows_the_lines() -> None:
    assert repr(Headers([("A", "x")])) == "Headers([('A', 'x')])"


@pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "é", "a\0"])
def test_a_name_is_a_token(name: str) -> None:
    with pytest.raises(LocalProtocolError, match="not a token"):
        Headers([(name, "x")])
    with pytest.raises(LocalProtocolError, match="not a token"):
        Headers().set(name, "x")


@pytest.mark.parametrize("value", ["a\rb", "a\nb", "a\r\nX: y", "a\0", "€"])
def test_a_value_forges_no_line(value: str) -> None:
    headers = Headers([("A", "x")])
    with pytest.raises(LocalProtocolError, match="barred character"):
        headers.add("A", value)
    with pytest.raises(LocalProtocolError, match="barred character"):
        headers.set("A", value)
    assert list(headers.items()) == [("A", "x")]


@settings(max_examples=50)
@given(st.lists(st.tuples(st.sampled_from(["add", "set", "remove"]), NAMES, VALUES)))
def test_headers_behave_as_a_list_of_lines(steps: list[tuple[str, str, str]]) -> None:
    headers = Headers()
    lines: list[tuple[str, str]] = []
    for step, name, value in steps:
        same = [at for at, line in enumerate(lines) if line[0].lower() == name.lower()]
        rest = [line for at, line in enumerate(lines) if at not in same]
        match step:
            case "add":
                headers.add(name, value)
                lines.append((name, value))
            case "set":
                headers.set(name, value)
                place = same[0] if same else len(rest)
                lines = [*rest[:place], (name, value), *rest[place:]]
            case _:
                headers.remove(name)
                lines = rest
        assert list(headers.items()) == lines
        assert headers.get_all(name) == [v for n, v in lines if n.lower() == name.lower()]


@pytest.mark.parametrize("text", ["a", "x-Y_z.1", "!#$%&'*+-.^_`|~09azAZ"])
def test_tokens(text: str) -> None:
    assert is_token(text)


@pytest.mark.parametrize("text", ["", " ", "a b", 'a"', "a\n", "(", "é", "a,b"])
def test_no_tokens(text: str) -> None:
    assert not is_token(text)


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("", []),
        (" ,\t, ", []),
        ("keep-alive, Upgrade", ["keep-alive", "Upgrade"]),
        (" a ,b,, c\t", ["a", "b", "c"]),
        ('a, "b, c";d, e', ["a", '"b, c";d', "e"]),
        (r'"a\",b", c', [r'"a\",b"', "c"]),
        ('a, "no end, b', ["a", '"no end, b']),
        ('a, "no end, b\\', ["a", '"no end, b\\']),
    ],
)
def test_lists(value: str, elements: list[str]) -> None:
    assert parse_list(value) == elements


def test_a_long_list_takes_linear_time() -> None:
    assert parse_list('"' + '\\"' * 100_000) == ['"' + '\\"' * 100_000]
    assert parse_list('"x" ' * 50_000 + ",") == [('"x" ' * 50_000).strip()]


def test_tokens_of_all_lines_in_lower_case() -> None:
    headers = Headers([("Connection", "Keep-Alive"), ("connection", "x, UPGRADE")])
    assert tokens(headers, "Connection") == ["keep-alive", "x", "upgrade"]
    assert has_token(headers, "Connection", "Upgrade")
    assert not has_token(headers, "Connection", "grade")
    assert not has_token(headers, "Upgrade", "x")


def test_octets_on_the_wire() -> None:
    headers = Headers([("A", "b"), ("Host", "é")])
    octets = headers.serialize("GET / HTTP/1.1")
    assert octets == b"GET / HTTP/1.1\r\nA: b\r\nHost: \xe9\r\n\r\n"
    assert headers.octets == len(octets) - len(b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.skipif(not hasattr(_headers, "is_tchar"), reason="it is C here")
def test_the_bits_of_tokens_are_those_of_the_expression() -> None:
    for code in range(300):
        assert bool(_headers.is_tchar(code)) == is_token(chr(code))


@given(st.text(st.characters(max_codepoint=300), max_size=8))
def test_tokens_as_the_expression_has_them(text: str) -> None:
    assert is_token(text) == (re.fullmatch(f"{_headers.TCHAR}+", text) is not None)
