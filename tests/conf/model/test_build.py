"""The whole build."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http
from upwire.conf.model import build
from upwire.conf.syntax import parse
from upwire.errors import ConfigError


def test_a_file_without_http() -> None:
    config = build(parse("events { worker_connections 5; }"))
    assert (config.servers, config.main.worker_connections) == ((), 5)


def test_all_faults_come_at_once_and_in_file_order() -> None:
    text = """events {}
http {
    keepalive_timeout x;
    server { location /b { } location /b { } return 200 $none; }
    foo;
    server { listen x:y; }
}
}
"""
    with pytest.raises(ConfigError) as caught:
        build(parse(text, "f"))
    assert [str(problem) for problem in caught.value.problems] == [
        '[emerg] "keepalive_timeout" directive invalid value in f:3:23',
        '[emerg] duplicate location "/b" in f:4:39',
        '[emerg] unknown directive "foo" in f:5:5',
        '[emerg] invalid port in "x:y" of the "listen" directive in f:6:21',
        '[emerg] unexpected "}" in f:8:1',
    ]


def test_without_events_nothing_starts() -> None:
    with pytest.raises(ConfigError) as caught:
        build(parse("http { }"))
    (problem,) = caught.value.problems
    assert str(problem) == '[emerg] no "events" section in configuration'


def test_where_text_is_missing_nothing_else_is_missed() -> None:
    assert faults("log_format a x; }") == ['unexpected "}"']


def test_what_guards_and_is_not_acted_on_is_unguarded() -> None:
    config = http(
        "deny all;\nserver { auth_basic off; location / { auth_basic realm; } }\ngzip on;"
    )
    assert [str(problem) for problem in config.unguarded] == [
        "[warn] access is NOT restricted: Upwire does not act on deny yet in nginx.conf:3:1",
        "[warn] access is NOT restricted: Upwire does not act on auth_basic yet in nginx.conf:4:39",
    ]


def test_version_and_accepted() -> None:
    config = http("server { gzip on; } gzip off; sendfile on;", version=(1, 22, 1))
    assert config.version == (1, 22, 1)
    assert [(directive.name, directive.line) for directive in config.accepted] == [
        ("gzip", 3),
        ("sendfile", 3),
    ]
