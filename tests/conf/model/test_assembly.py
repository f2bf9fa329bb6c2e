"""What a build shares, and how levels hide those above them."""

from __future__ import annotations

import pytest

from upwire.conf.directives import Context
from upwire.conf.model.assembly import Assembly, Scope, Wrong, compile_regex
from upwire.conf.syntax import Directive, Faults, Position, parse

_VERSION = (1, 31, 5)
_HERE = Position("f", 1, 1)


def _assembly(*, is_partial: bool = False) -> Assembly:
    return Assembly(_VERSION, Faults(), is_partial=is_partial)


def _scope(text: str, parent: Scope | None = None) -> Scope:
    directives = parse(text).directives
    return parent.inner(directives) if parent is not None else Scope(directives, _VERSION)


def _messages(assembly: Assembly) -> list[str]:
    return [str(problem) for problem in assembly.faults.problems()]


def test_a_directive_is_read_once() -> None:
    assembly = _assembly()
    read: list[str] = []

    def reader(directive: Directive, _: Assembly) -> str:
        read.append(directive.name)
        return directive.args[0]

    (directive,) = parse("a b;").directives
    assert [assembly.read(reader, directive) for _ in range(2)] == ["b", "b"]
    assert read == ["a"]


def test_a_wrong_directive_is_noted_once_and_left_out() -> None:
    assembly = _assembly()

    def reader(directive: Directive, _: Assembly) -> str:
        if directive.args == ("bad",):
            raise Wrong("no good", directive.arg_positions[0])
        return directive.args[0]

    directives = parse("a b; a bad;", "f").directives
    for _ in range(2):
        assert assembly.read_all(reader, directives) == ("b",)
    assert _messages(assembly) == ["[emerg] no good in f:1:8"]


def test_what_is_missing_may_have_been_dropped() -> None:
    whole, partial = _assembly(), _assembly(is_partial=True)
    for assembly in (whole, partial):
        assembly.missing("gone", _HERE)
        assembly.fault("wrong", _HERE)
        assembly.warn("odd", _HERE)
    assert _messages(whole)[0] == "[emerg] gone in f:1:1"
    assert _messages(partial) == ["[emerg] wrong in f:1:1", "[warn] odd in f:1:1"]


def test_a_broken_template_stands_for_its_text() -> None:
    assert _assembly().template("${a").parts == ("${a",)
    assert _assembly().template("$a").variables == ("a",)


def test_compile_regex() -> None:
    assert compile_regex("a", _HERE, is_caseless=True).search("A") == ("A",)
    with pytest.raises(Wrong, match="missing closing parenthesis"):
        compile_regex("(", _HERE)


def test_the_innermost_level_counts() -> None:
    outer = _scope("proxy_read_timeout 1s; proxy_set_header a b; proxy_set_header c d;")
    middle = _scope("gzip on;", outer)
    inner = _scope("proxy_read_timeout 2s; proxy_set_header e f;", middle)
    assert (middle.time_s("proxy_read_timeout"), inner.time_s("proxy_read_timeout")) == (1, 2)
    assert [line.args[0] for line in middle.effective("proxy_set_header")] == ["a", "c"]
    assert [line.args[0] for line in inner.effective("proxy_set_header")] == ["e"]
    assert middle.own_one("proxy_read_timeout") is None
    assert inner.one("nothing") is None


def test_defaults_are_those_of_the_table() -> None:
    scope = _scope("")
    assert scope.time_s("proxy_read_timeout") == 60
    assert scope.flag("proxy_buffering") is True
    assert scope.octets("client_header_buffer_size") == 1024
    assert scope.offset("client_max_body_size") == 1 << 20
    assert scope.number("keepalive_requests") == 1000
    assert scope.args("proxy_buffers") == ("8", "4k")
    assert scope.args("resolver") is None
    assert scope.args("unheard_of") is None
    upstream = Scope((), _VERSION, context=Context.UPSTREAM)
    assert upstream.time_s("keepalive_timeout") == 60
