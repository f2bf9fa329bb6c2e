"""Templates, and the table of variables."""

from __future__ import annotations

import pytest

from upwire.conf.variables import VARIABLES, Reference, Template, is_known
from upwire.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ()),
        ("plain", ("plain",)),
        ("$host:$server_port", (Reference("host"), ":", Reference("server_port"))),
        ("${x}y", (Reference("x"), "y")),
        ("a$1b", ("a", Reference("1"), "b")),
        ("$10", (Reference("1"), "0")),
        ("$0", (Reference("0"),)),
        ("$HTTP_Host", (Reference("http_host"),)),
        ("$a$b}", (Reference("a"), Reference("b"), "}")),
    ],
)
def test_compile(text: str, parts: tuple[str | Reference, ...]) -> None:
    template = Template.compile(text)
    assert template.parts == parts
    assert template.text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("$", "invalid variable name"),
        ("a$-", "invalid variable name"),
        ("$é", "invalid variable name"),
        ("${", 'the closing bracket in "" variable is missing'),
        ("${}", "invalid variable name"),
        ("${host", 'the closing bracket in "host" variable is missing'),
        ("${host-x}", 'the closing bracket in "host" variable is missing'),
        ("${1}", 'unknown "1" variable'),
    ],
)
def test_compile_refuses(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Template.compile(text)
    assert [problem.message for problem in caught.value.problems] == [message]


def test_render() -> None:
    values = {"host": "a.example", "1": "x"}
    template = Template.compile("$host/$1/$nothing.")
    assert template.render(values.get) == "a.example/x/."
    assert template.variables == ("host", "1", "nothing")


def test_a_literal_keeps_its_dollars() -> None:
    assert Template.literal("$a").render({"a": "b"}.get) == "$a"
    assert Template.literal("").parts == ()


def test_table() -> None:
    assert VARIABLES["host"].module == "ngx_http_core_module"
    assert not VARIABLES["host"].is_changeable
    assert VARIABLES["limit_rate"].is_changeable
    assert all(name == row.name for name, row in VARIABLES.items())


@pytest.mark.parametrize(
    ("name", "known"),
    [("uri", True), ("http_x_y", True), ("arg_a", True), ("mine", True), ("other", False)],
)
def test_is_known(name: str, known: bool) -> None:
    assert is_known(name, frozenset({"mine"})) is known
