"""What the exceptions say."""

from __future__ import annotations

import pytest

from upwire.errors import ConfigError, ConnectionClosed, HandshakeRefused, Problem, printable


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ConnectionClosed(1000), "closed by peer: 1000"),
        (ConnectionClosed(4000, "enough", is_remote=False), "closed by us: 4000 enough"),
        (ConnectionClosed(1006, "no Close came"), "lost: 1006 no Close came"),
    ],
)
def test_how_a_websocket_ended(error: ConnectionClosed, text: str) -> None:
    assert str(error) == text


def test_a_refusal_names_no_rule() -> None:
    refusal = HandshakeRefused("the server answered 404", status=404, reason="", headers=())
    assert str(refusal) == "the server answered 404"


def test_only_faults_of_a_file_have_nginx_severity() -> None:
    problems = [Problem("cannot listen on *:80"), Problem("unknown directive", "a.conf", 2, 3)]
    assert str(ConfigError(problems)) == (
        "cannot listen on *:80\n[emerg] unknown directive in a.conf:2:3"
    )
    assert str(problems[0]) == "[emerg] cannot listen on *:80"


def test_what_a_peer_sent_stays_on_one_line_and_steers_nothing() -> None:
    assert printable("§ \x1b[31m\r\n\u202e\ud800") == r"§ \x1b[31m\r\n\u202e\ud800"
