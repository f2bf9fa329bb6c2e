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
        "secure_link $uri;\n"
        "server { disable_symlinks off; location / { disable_symlinks on; } }\naio on;"
    )
    assert [str(problem) for problem in config.unguarded] == [
        "[warn] links are NOT checked: Upwire does not act on secure_link yet in nginx.conf:3:1",
        "[warn] symbolic links ARE followed: Upwire does not act on disable_symlinks yet"
        " in nginx.conf:4:45",
    ]


def test_version_and_accepted() -> None:
    config = http("server { aio on; } aio off; sendfile on;", version=(1, 22, 1))
    assert config.version == (1, 22, 1)
    assert [(directive.name, directive.line) for directive in config.accepted] == [
        ("aio", 3),
        ("sendfile", 3),
    ]
