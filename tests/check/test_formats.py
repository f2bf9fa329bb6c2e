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
    assert run["tool"]["driver"]["rules"] == [
        {"id": "F01", "shortDescription": {"text": "Upgrade and Connection not passed on"}},
        {"id": "upwire", "shortDescription": {"text": "what could not be judged"}},
    ]
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


# Of the schema of SARIF 2.1.0 (OASIS, sarif-schema-2.1.0.json) the objects that we write: each
# property with its type, those that must be there with "!".
SHAPES: dict[str, dict[str, object]] = {
    "log": {"$schema": str, "version!": {"2.1.0"}, "runs!": ["run"]},
    "run": {"tool!": "tool", "columnKind": {"unicodeCodePoints"}, "results": ["result"]},
    "tool": {"driver!": "driver"},
    "driver": {"name!": str, "version": str, "rules": ["rule"]},
    "rule": {"id!": str, "shortDescription": "message"},
    "message": {"text!": str},
    "result": {
        "ruleId": str,
        "level": {"none", "note", "warning", "error"},
        "message!": "message",
        "locations": ["location"],
    },
    "location": {"physicalLocation": "place"},
    "place": {"artifactLocation!": "artifact", "region": "region"},
    "artifact": {"uri": str},
    "region": {"startLine": int, "startColumn": int, "endColumn": int},
}


def check_shape(value: object, shape: object) -> None:
    """Fail where a value is not as SHAPES has it; all numbers of SARIF begin with 1."""
    if isinstance(shape, list):
        assert isinstance(value, list)
        for one in value:
            check_shape(one, shape[0])
    elif isinstance(shape, str):
        assert isinstance(value, dict)
        properties = {name.removesuffix("!"): kind for name, kind in SHAPES[shape].items()}
        assert value.keys() <= properties.keys()
        assert {name[:-1] for name in SHAPES[shape] if name.endswith("!")} <= value.keys()
        for name, one in value.items():
            check_shape(one, properties[name])
    elif isinstance(shape, set):
        assert value in shape
    elif shape is int:
        assert isinstance(value, int)
        assert value >= 1
    else:
        assert isinstance(value, str)


def test_sarif_is_as_its_schema_wants_it() -> None:
    verdicts = [verdict(severity) for severity in Severity] + [verdict(fault="")]
    judged = judge_text("\xef\xbb\xbf server {\n location /ws { proxy_pass http://b; }\n")
    log = json.loads(to_sarif([*verdicts, judged]))
    check_shape(log, "log")
    results = log["runs"][0]["results"]
    assert len(results) > len(verdicts)
    for result in results:
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["endColumn"] >= region["startColumn"]


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
