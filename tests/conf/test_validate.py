"""The tree against the table."""

from __future__ import annotations

import pytest

from upwire.conf.directives import TABLE, Context
from upwire.conf.syntax import Directive, parse
from upwire.conf.validate import Validator, find_spec


def _check(text: str) -> tuple[tuple[Directive, ...], list[str], Validator]:
    tree = parse(text)
    validator = Validator(tree.faults)
    directives = validator.check(tree.directives)
    return directives, [problem.message for problem in tree.faults.problems()], validator


def test_what_is_right_stays() -> None:
    directives, messages, validator = _check("events { use epoll; }\nhttp { server { } }")
    assert [directive.name for directive in directives] == ["events", "http"]
    assert messages == []
    assert not validator.is_partial


def test_what_is_wrong_is_dropped() -> None:
    directives, messages, validator = _check("events { foo; worker_connections 5; }")
    assert [inner.name for inner in directives[0].block or ()] == ["worker_connections"]
    assert messages == ['unknown directive "foo"']
    assert validator.is_partial


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("foo;", 'unknown directive "foo"'),
        ("server { }", '"server" directive is not allowed here'),
        ("http;", 'directive "http" has no opening "{"'),
        ("pid x { }", 'directive "pid" is not terminated by ";"'),
        ("pid;", 'invalid number of arguments in "pid" directive'),
        ("pid a; pid a;", '"pid" directive is duplicate'),
        ("daemon yes;", 'invalid value "yes" in "daemon" directive, it must be "on" or "off"'),
        ("worker_rlimit_nofile x;", '"worker_rlimit_nofile" directive invalid number'),
        ("worker_rlimit_core x;", '"worker_rlimit_core" directive invalid value'),
        ("timer_resolution x;", '"timer_resolution" directive invalid value'),
        ("debug_points never;", 'invalid value "never"'),
        ("http { gzip_comp_level 0; }", "value must be between 1 and 9"),
        ("http { gzip_comp_level x; }", '"gzip_comp_level" directive invalid number'),
        ("http { slice x; }", '"slice" directive invalid value'),
        ("http { limit_rate x; }", '"limit_rate" directive invalid value'),
        ("http { proxy_buffers 0 1; }", '"proxy_buffers" directive invalid value'),
        ("http { proxy_buffers 1 x; }", '"proxy_buffers" directive invalid value'),
        ("http { open_file_cache_valid 1ms; }", '"open_file_cache_valid" directive invalid value'),
        ("http { types { a { } } }", 'unexpected "{"'),
        ("http { proxy_next_upstream off off; }", 'duplicate value "off"'),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert _check(text)[1] == [message]


@pytest.mark.parametrize(
    "text",
    [
        "debug_points STOP; daemon ON;",
        "http { gzip_comp_level 9; limit_rate $arg_rate; limit_rate_after 1k; }",
        "http { types { a b; } map a $b { c d; } }",
        "http { server { if (a) { break; } location / { if (a) { } limit_except GET { } } } }",
        "stream { upstream a { server b:1; } server { listen 1; proxy_pass a; } }",
        "mail { server { listen 1; protocol imap; } }",
        "http { proxy_set_header a b; proxy_set_header a b; }",
    ],
)
def test_what_is_right(text: str) -> None:
    assert _check(text)[1] == []


def test_the_inside_of_an_unknown_block_is_not_judged() -> None:
    assert _check("foo { bar; a }\npid;")[1] == [
        'unknown directive "foo"',
        'invalid number of arguments in "pid" directive',
    ]


def test_accepted_are_those_not_acted_on_once_each() -> None:
    accepted = _check("http { aio on; server { aio off; listen 80; } }")[2].accepted
    assert [(found.name, found.args) for found in accepted.values()] == [("aio", ("on",))]


GUARDS = (
    *("allow a;", "deny all;", "satisfy any;", "auth_basic a;", "auth_request /a;"),
    *("auth_delay 1s;", "limit_req zone=a;", "limit_conn a 1;", "disable_symlinks on;"),
    *("secure_link $a;", "secure_link_secret a;", "proxy_ssl_verify on;"),
    *("limit_except GET { }", "if ($a) { }", "valid_referers none;"),
)


@pytest.mark.parametrize("text", [text for text in GUARDS if not TABLE[text.split()[0]][0].acted])
def test_what_guards_is_warned_of_at_each_place(text: str) -> None:
    validator = _check(
        f"http {{ server {{ location /a {{ {text} }} location /b {{ {text} }} }} }}"
    )[2]
    name = text.split()[0]
    warnings = validator.unguarded.problems()
    assert len({(one.line, one.column) for one in warnings}) == 2
    assert {one.severity for one in warnings} == {"warn"}
    for one in warnings:
        assert one.message.endswith(f": Upwire does not act on {name} yet")


@pytest.mark.parametrize(
    "text",
    [
        "http { satisfy all; auth_basic off; auth_request off; auth_delay 0; gzip on; }",
        "http { ssl_verify_client off; proxy_ssl_verify off; disable_symlinks off; }",
        "stream { server { listen 1; deny all; } }",
    ],
)
def test_what_guards_nothing_is_not_warned_of(text: str) -> None:
    assert _check(text)[2].unguarded.problems() == ()


def test_find_spec() -> None:
    assert find_spec("nothing", Context.MAIN) is None
    assert find_spec("server", Context.MAIN) is None
    row = find_spec("server", Context.UPSTREAM)
    assert row is not None
    assert row.module == "ngx_http_upstream_module"
