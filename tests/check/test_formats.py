"""Findings for programs."""

from __future__ import annotations

import json

from kit.check_site import judge_text
from upwire.check.formats import to_github, to_json, to_sarif
from upwire.check.reading import on_disk, read
from upwire.check.verdict import Verdict
from upwire.conf.audit import Edit, Finding, Kind, Severity
from upwire.conf.syntax import Position

FILE = "a b/\xc3\xa9.conf"
TEXT = "# one\n\xc3\xa9\t bad;\n"


def verdict(severity: Severity = Severity.ERROR, fault: str = "F01", file: str = FILE) -> Verdict:
    edits = (Edit(file, 2, 8, "\nx;"),)
    finding = Finding(
        fault, severity, Position(file, 2, 5), 3, "100 %, so", "it: fails", ("§7",), "x;\ny;", edits
    )
    return Verdict(
        read(on_disk(file), instead={file: TEXT}), (finding,), (1, 22, 999), Kind.LOCATION
    )


def test_json_has_all_facts() -> None:
    (one,) = json.loads(to_json([verdict()]))
    (found,) = one.pop("findings")
    assert one == {
        "path": "a b/é.conf",
        "nginx": "1.22",
        "counts": {"note": 0, "warning": 0, "security": 0, "error": 1},
    }
    assert found == {
        "fault": "F01",
        "severity": "error",
        "file": "a b/é.conf",
        "line": 2,
        "column": 5,
        "octets": 3,
        "source": "é     bad;",
        "message": "100 %, so",
        "effect": "it: fails",
        "why": ["§7"],
        "mend": ["x;", "y;"],
        "edits": [
            {"file": "a b/é.conf", "line": 2, "column": 8, "replaces_word": False, "text": "\nx;"}
        ],
    }


def test_json_of_a_finding_that_is_no_fault() -> None:
    judged = judge_text("location / { root /x; } server_name ${X};")
    (one,) = json.loads(to_json([judged]))
    (found,) = one["findings"]
    assert found["fault"] is None
    assert found["mend"] == []


def test_sarif() -> None:
    log = json.loads(to_sarif([verdict(), verdict(Severity.NOTE, "", "/etc/x"), verdict()]))
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    assert run["columnKind"] == "unicodeCodePoints"
    assert run["tool"]["driver"]["rules"] == [{"id": "F01"}, {"id": "upwire"}]
    first, second, _ = run["results"]
    assert (first["ruleId"], first["level"]) == ("F01", "error")
    assert first["message"]["text"] == "100 %, so\nit: fails\n§7\nx;\ny;"
    (place,) = first["locations"]
    assert place["physicalLocation"] == {
        "artifactLocation": {"uri": "a%20b/%C3%A9.conf"},
        "region": {"startLine": 2, "startColumn": 4, "endColumn": 7},
    }
    assert (second["ruleId"], second["level"]) == ("upwire", "note")
    (place,) = second["locations"]
    assert place["physicalLocation"]["artifactLocation"] == {"uri": "file:///etc/x"}


def test_what_is_between_note_and_error_is_a_warning() -> None:
    (run,) = json.loads(to_sarif([verdict(Severity.SECURITY)]))["runs"]
    assert run["results"][0]["level"] == "warning"


def test_github() -> None:
    (line,) = to_github([verdict()])
    assert line == (
        "::error file=a b/é.conf,line=2,col=4,endColumn=6,title=F01 100 %25%2C so"
        "::it: fails%0A§7%0Ax;%0Ay;"
    )
    commands = [
        next(iter(to_github([verdict(severity, "")]))).split(" ")[0]
        for severity in (Severity.NOTE, Severity.WARNING, Severity.SECURITY)
    ]
    assert commands == ["::notice", "::warning", "::warning"]
