"""Findings as people see them."""

from __future__ import annotations

import pytest

from kit.check_site import judge_text
from upwire.check.reading import read
from upwire.check.report import has_reached, line_of, report, show_text, summary
from upwire.check.verdict import Verdict
from upwire.conf.audit import Finding, Kind, Severity
from upwire.conf.syntax import Position

TEXT = "server {\n\tproxy_pass http://b\xc3\xa9;\r\n}\n"


def verdict_of(*findings: Finding, text: str = TEXT) -> Verdict:
    return Verdict(read("f", instead={"f": text}), findings, None, Kind.WHOLE)


def finding(line: int, column: int, octets: int, **more: str) -> Finding:
    at = Position("f", line, column)
    return Finding("F01", Severity.ERROR, at, octets, "it is lost", **more)  # type: ignore[arg-type]  # texts only


def test_a_finding_is_shown_with_its_line() -> None:
    one = Finding(
        "F01",
        Severity.ERROR,
        Position("f", 2, 2),
        23,
        "it is lost",
        effect="it fails (§7)",
        why=("f:1", "f:2"),
        mend="a;\nb;",
    )
    assert "\n".join(report(verdict_of(one))) == (
        "error[F01]: it is lost\n"
        " --> f:2:2\n"
        "  |\n"
        "2 |     proxy_pass http://bé;\n"
        "  |     ^^^^^^^^^^^^^^^^^^^^^\n"
        "  = effect: it fails (§7)\n"
        "  = why: f:1\n"
        "  = why: f:2\n"
        "  = mend: a;\n"
        "          b;\n"
        "\n"
        "f: 1 error (for any nginx)"
    )


def test_a_finding_outside_of_the_text_is_shown_without() -> None:
    lines = list(report(verdict_of(finding(99, 7, 3))))
    assert lines[3:5] == ["99 | ", "   | ^"]


def test_colours_change_nothing_else() -> None:
    plain = list(report(verdict_of(finding(1, 1, 6))))
    coloured = list(report(verdict_of(finding(1, 1, 6)), is_coloured=True))
    assert coloured != plain
    for code in ("\x1b[1;31m", "\x1b[34m", "\x1b[0m"):
        coloured = [line.replace(code, "") for line in coloured]
    assert coloured == plain


def test_a_long_line_is_cut_around_the_finding() -> None:
    text = "a" * 500 + "b" + "c" * 500
    lines = list(report(verdict_of(finding(1, 501, 1), text=text)))
    shown, marks = lines[3], lines[4]
    assert len(shown) < 170
    assert shown[marks.index("^")] == "b"


def test_the_last_line_counts() -> None:
    def of(severity: Severity) -> Finding:
        return Finding("", severity, Position("f", 1, 1), 1, "")

    found = [of(Severity.NOTE), of(Severity.ERROR), of(Severity.NOTE), of(Severity.SECURITY)]
    assert summary(verdict_of(*found)) == ("f: 1 error, 1 security fault, 2 notes (for any nginx)")
    assert summary(verdict_of()) == "f: no faults (for any nginx)"
    assert summary(judge_text("gzip on;")) == "nginx.conf: no faults (for nginx 1.22)"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("b\xc3\xa9", "bé"),
        ("b\xe9", "bé"),
        ("§7 — it", "§7 — it"),
        ("a\tb\x1b[2J\r", "a    b\\x1b[2J\\r"),
    ],
)
def test_text_is_fit_for_a_terminal(text: str, shown: str) -> None:
    assert show_text(text) == shown


def test_lines_are_those_of_the_file() -> None:
    sources = {"f": TEXT}
    assert line_of(finding(3, 1, 1), sources) == "}"
    assert line_of(finding(9, 1, 1), sources) == ""


def test_a_level_is_reached_from_itself_on() -> None:
    verdict = verdict_of(finding(1, 1, 1))
    assert has_reached([verdict], Severity.ERROR)
    assert not has_reached([verdict_of()], Severity.NOTE)
