"""Commands in octets."""

from __future__ import annotations

import pytest

from upwire.proxy.modules.ssi_scanner import Command, Scanner

BROKEN = Command("", {})
PAGE = b'a<!--#echo var="x" -->b<!-- no --><!--# set  var = \'y\' value="-->\\"\'" --><!--#-->c<!'
ELEMENTS = [
    b"a",
    Command("echo", {"var": "x"}),
    b"b<!-- no -->",
    Command("set", {"var": "y", "value": "-->\\\"'"}),
    BROKEN,
    b"c",
]


def scan(pieces: list[bytes]) -> list[bytes | Command]:
    """Return the elements of a content, text joined, without what is left at the end."""
    scanner = Scanner()
    found: list[bytes | Command] = []
    for piece in pieces:
        for element in scanner.feed(piece):
            last = found[-1] if found else None
            if isinstance(element, bytes) and isinstance(last, bytes):
                found[-1] = last + element
            else:
                found.append(element)
    assert scanner.finish() == b"<!"
    return found


def test_whole() -> None:
    assert scan([PAGE]) == ELEMENTS


def test_octet_by_octet() -> None:
    assert scan([PAGE[at : at + 1] for at in range(len(PAGE))]) == ELEMENTS


def test_in_two_pieces() -> None:
    for at in range(len(PAGE)):
        assert scan([PAGE[:at], PAGE[at:]]) == ELEMENTS


@pytest.mark.parametrize(
    "octets",
    [
        b"<!--# -->",
        b"<!--#echo var=x -->",
        b"<!--#echo var='x'value='y' -->",
        b"<!--#echo it's -->",
        b'<!--#echo var="x" "-->',
    ],
)
def test_what_is_no_command(octets: bytes) -> None:
    assert list(Scanner().feed(octets + b"x")) == [BROKEN, b"x"]


def test_a_value_without_an_end_is_looked_through_once() -> None:
    scanner = Scanner()
    broken = b'<!--#a b="' + b"-->" * 100_000  # looked for again at each "-->", this takes minutes
    assert list(scanner.feed(broken)) == [BROKEN]


def test_a_command_without_an_end() -> None:
    scanner = Scanner()
    assert list(scanner.feed(b"a<!--#echo ")) == [b"a"]
    assert scanner.finish() == b""
    assert list(scanner.feed(b"<!--#" + b"x" * 20_000)) == [BROKEN]
    assert scanner.finish() == b""
