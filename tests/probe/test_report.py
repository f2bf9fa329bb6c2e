"""What the user and programs are shown."""

from __future__ import annotations

import json

from upwire.client.url import parse_url
from upwire.conf.audit.finding import Severity
from upwire.probe.asking import Answer
from upwire.probe.cases import Asked, handshake
from upwire.probe.evidence import Evidence, Finding, Place
from upwire.probe.gathering import Step
from upwire.probe.received import Received
from upwire.probe.report import (
    is_clean,
    show_counts,
    show_findings,
    show_heads,
    show_step,
    to_json,
)
from upwire.wire.fields import Headers
from upwire.wire.http1 import ResponseHead

ASKED = Asked(parse_url("ws://a.test/"), "dGhlIHNhbXBsZSBub25jZQ==")
ESCAPE = "\x1b[2Jgone"
BASE = Answer(
    handshake(ASKED),
    ResponseHead(101, ESCAPE, (1, 1), Headers({"X-Long": "x" * 999})),
    received=Received(handshake(ASKED)),
)
PLACED = Finding("F01", Severity.ERROR, "lost", ("F04",), (Place("F01", "n.conf", 7, "why"),))
SUSPECTED = Finding("F50", Severity.WARNING, ESCAPE, ("F51",))
NOTE = Finding("F14", Severity.NOTE, "dropped", (), (Place("F14", "n.conf", 9, "x"),))
BARE = Finding("", Severity.NOTE, "between")


def test_a_step_is_one_line() -> None:
    assert show_step(Step("TCP", "a:1", 0.0012, True)).split() == ["ok", "1.2", "ms", "TCP", "a:1"]
    assert show_step(Step("TLS", ESCAPE, None, False)).split() == ["FAIL", "TLS", "\\x1b[2Jgone"]
    assert show_step(Step("x", "y")).split() == ["x", "y"]


def test_heads_are_shown_as_they_were() -> None:
    lines = list(show_heads(BASE))
    assert "  > GET / HTTP/1.1" in lines
    assert "  = GET / HTTP/1.1" in lines
    assert "  < HTTP/1.1 101 \\x1b[2Jgone" in lines
    assert max(map(len, lines)) < 170
    assert all(line.isprintable() for line in lines)
    assert list(show_heads(Answer(handshake(ASKED), error="x")))[-1].startswith("  > ")


def test_findings_end_in_a_mend() -> None:
    lines = list(show_findings([PLACED, SUSPECTED, NOTE, BARE]))
    assert lines[:3] == [
        "error[F01]: lost",
        "  n.conf:7: F01: why",
        "  likely: proxy_set_header",
    ]
    assert "warning[F50]: \\x1b[2Jgone" in lines
    assert "  it may be as well: F51" in lines
    assert lines[-2:] == [
        "note[F14]: dropped (n.conf:9). use dashes, or underscores_in_headers on;",
        "note: between",
    ]


def test_counts_and_the_verdict() -> None:
    assert show_counts([PLACED, NOTE, BARE], 9, 1.23) == "1 error, 2 notes; 9 connections, 1.2 s"
    assert show_counts([], 1, 0.0).startswith("nothing wrong;")
    secure = [Finding("F52", Severity.SECURITY, "x")] * 2
    assert show_counts(secure, 1, 0.0).startswith("2 security;")
    assert is_clean([NOTE])
    assert not is_clean([NOTE, SUSPECTED])


def test_a_program_gets_the_same() -> None:
    evidence = Evidence(ASKED, {"handshake": BASE}, {"handshake": Answer(BASE.request, error="x")})
    told = json.loads(to_json(evidence, [Step("x", "y")], [PLACED, BARE], 3))
    assert told["url"] == "ws://a.test/"
    assert told["cases"]["handshake"]["backend_saw"][0] == "GET / HTTP/1.1"
    assert told["backend"]["handshake"] == told["backend"]["handshake"] | {"answer": []}
    assert told["findings"][0]["places"][0]["line"] == 7
    assert told["findings"][1]["directive"] == ""
    assert told["steps"] == [{"title": "x", "detail": "y", "seconds": None, "right": None}]
