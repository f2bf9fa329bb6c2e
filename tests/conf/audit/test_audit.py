"""The rules over tests/cases/audit, and what holds for all of them."""

from __future__ import annotations

import re

import pytest

from kit.audit_cases import AuditCase, describe, find, read_audit_cases, site_of
from upwire.conf.audit import RULES, Rule, audit

_CASES = read_audit_cases()
_NUMBERS = re.compile(r"(?:F\d\d(?:, )?)+(?=:)")


def _faults_of(rule: Rule) -> list[str]:
    found = _NUMBERS.match(rule.__doc__ or "")
    assert found, f"{rule.__name__}: its docstring begins with no number"
    return found[0].split(", ")


_FAULTS = sorted({fault for rule in RULES for fault in _faults_of(rule)})


@pytest.mark.parametrize("case", _CASES, ids=lambda case: case.name)
def test_case(case: AuditCase) -> None:
    assert [describe(finding) for finding in find(case)] == list(case.findings)


@pytest.mark.parametrize("fault", _FAULTS)
def test_a_fault_has_a_case_and_a_near_miss(fault: str) -> None:
    own = [case for case in _CASES if case.fault == fault]
    firing = [case for case in own if not case.is_near]
    near = [case for case in own if case.is_near]
    assert firing, f"no case {fault.lower()}.case"
    assert near, f"no case {fault.lower()}_near.case"
    assert all(fault in case.faults() for case in firing)
    assert not any(fault in case.faults() for case in near)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_rule_finds_what_it_says(rule: Rule) -> None:
    found = {finding.fault for case in _CASES for finding in rule(site_of(case.conf, case.version))}
    assert found == set(_faults_of(rule))


def test_no_case_is_about_a_fault_without_a_rule() -> None:
    assert {case.fault for case in _CASES} - {""} == set(_FAULTS)


def test_there_are_configurations_as_people_write_them() -> None:
    wild = [case for case in _CASES if not case.fault]
    assert len(wild) >= 25
    assert sum(not case.findings for case in wild) >= 3


def test_one_line_has_one_finding_however_many_locations_it_holds_for() -> None:
    location = """location /ws%d {
        proxy_pass http://127.0.0.1:8080;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
        proxy_set_header Host $http_host;
        proxy_http_version 1.1;
    }"""
    conf = f"proxy_read_timeout 10s;\n{location % 1}\n{location % 2}\n"
    assert [finding.fault for finding in audit(site_of(conf))] == ["F20"]


@pytest.mark.parametrize(
    "case", [case for case in _CASES if case.findings], ids=lambda case: case.name
)
def test_words_may_be_missing_anywhere(case: AuditCase) -> None:
    """Each line is cut behind its name once: what is half written is judged, or is not."""
    lines = case.conf.split("\n")
    for number, line in enumerate(lines):
        cut = re.sub(r"^(\s*\w+) [^{};]+;", r"\1;", line)
        if cut != line:
            changed = "\n".join((*lines[:number], cut, *lines[number + 1 :]))
            for finding in audit(site_of(changed, case.version)):
                assert finding.message


@pytest.mark.parametrize(
    ("location", "path"),
    [("/ws", "/ws"), ("= /ws", "/ws"), ("~ ^/ws", "/"), ("~ /ws", "/"), ("@ws", "/")],
)
def test_what_the_backend_sees_is_a_path(location: str, path: str) -> None:
    site = site_of(f"location {location} {{ proxy_pass http://127.0.0.1:1; }}", None)
    (lost,) = (finding for finding in audit(site) if finding.fault == "F01")
    assert f"sees `GET {path} HTTP/1." in lost.effect
