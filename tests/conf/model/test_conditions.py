"""The conditions of `if`; what is wrong in one is in tests/cases too."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, location
from upwire.conf.model import Condition, If, Predicate
from upwire.conf.regex import Regex
from upwire.conf.variables import Template


def read(condition: str) -> Condition:
    (instruction,) = location(f"if {condition} {{ }}").rewrite
    assert isinstance(instruction, If)
    return instruction.condition


@pytest.mark.parametrize(
    ("text", "test", "operand", "is_negated"),
    [
        ("($uri)", Predicate.IS_SET, None, False),
        ("( $uri )", Predicate.IS_SET, None, False),
        ("($uri = a)", Predicate.EQUALS, "a", False),
        ("($uri = '')", Predicate.EQUALS, "", False),
        ("($uri != a )", Predicate.EQUALS, "a", True),
        ("($uri ~ a)", Predicate.MATCHES, "a", False),
        ("($uri !~* a)", Predicate.MATCHES, "a", True),
    ],
)
def test_comparisons(text: str, test: Predicate, operand: str | None, is_negated: bool) -> None:
    found = read(text)
    shown = found.operand
    if isinstance(shown, Regex):
        assert shown.is_caseless is ("*" in text)
        shown = Template.compile(shown.pattern)
    assert (found.subject.text, found.test, found.is_negated) == ("$uri", test, is_negated)
    assert (shown.text if shown is not None else None) == operand


@pytest.mark.parametrize("letter", "fdex")
def test_files(letter: str) -> None:
    for text, is_negated in ((f"(-{letter} /$uri)", False), (f"(!-{letter} /$uri )", True)):
        found = read(text)
        assert (found.test.value, found.is_negated) == (f"-{letter}", is_negated)
        assert found.subject.text == "/$uri"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("()", 'invalid condition ")"'),
        ("(-f)", 'invalid condition "-f"'),
        ("(-f a b)", 'invalid condition "-f"'),
        ("($)", 'invalid condition "$"'),
        ("($uri =)", 'invalid condition "$uri"'),
        ("($uri ~ '(')", 'pcre2_compile() failed: missing closing parenthesis in "("'),
    ],
)
def test_what_is_wrong(text: str, message: str) -> None:
    assert faults(f"server {{ if {text} {{ }} }}") == [message]
