"""Variables that are used, and those that are defined."""

from __future__ import annotations

import pytest

from kit.conf_text import faults


@pytest.mark.parametrize(
    "definition",
    [
        "map $uri $mine { }",
        "geo $mine { }",
        "geo $remote_addr $mine { }",
        "split_clients $uri $mine { }",
        "perl_set $mine x;",
        "server { set $mine 1; }",
        "server { location / { auth_request_set $MINE $status; } }",
        "server { server_name ~^(?<mine>.); }",
        "server { location ~ (?P<mine>.) { } }",
        "server { rewrite (?'mine'.) /; }",
        "map $uri $other { ~(?<mine>.) 1; }",
    ],
)
def test_what_defines_a_variable(definition: str) -> None:
    assert faults(f"{definition} log_format x $mine;") == []
    assert faults("log_format x $mine;") == ['unknown "mine" variable']


@pytest.mark.parametrize(
    "use",
    [
        "server { return 200 $mine; }",
        "server { if ($mine) { } }",
        "server { if ($mine = 1) { } }",
        "server { set $a $mine; }",
        "server { rewrite ^ /$mine; }",
        "map $mine $a { }",
        "map $uri $a { x $mine; }",
        "limit_rate $mine;",
        "proxy_method $mine;",
        "server { try_files $mine /; }",
        "access_log a combined if=$mine;",
    ],
)
def test_what_uses_one(use: str) -> None:
    assert faults(use) == ['unknown "mine" variable']


def test_captures_need_no_definition() -> None:
    assert faults("server { location ~ (.) { return 200 $1; } }") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("map $uri x { }", 'invalid variable name "x"'),
        ("map $uri $ { }", 'invalid variable name "$"'),
        ("map $uri $request_uri { }", 'the duplicate "request_uri" variable'),
        ("log_format a $;", "invalid variable name"),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert faults(text) == [message]


def test_a_definition_that_was_dropped_is_not_missed() -> None:
    assert faults("map $uri $a; log_format x $a;") == ['directive "map" has no opening "{"']
