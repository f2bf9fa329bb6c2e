"""Reads tests/cases/audit/*.case: a configuration, a line of dashes, and what the rules find in it.

Below the dashes, a line each:

    version: 1.22.1       the nginx that it is for; without this line it is not known
    3:9 F01 error         a finding, in the order of the file

`f01*.case` has F01 among its findings, `f01_near*.case` comes near and has it not; `wild_*.case`
is written as people write theirs. Files that a configuration includes are not there.
"""

from __future__ import annotations

from dataclasses import dataclass

from kit.conf_cases import CASES, parse_version
from upwire.conf.audit import Finding, Site, audit, make_site
from upwire.conf.directives import Version
from upwire.conf.syntax import load

FILE = "nginx.conf"


@dataclass(frozen=True, slots=True)
class AuditCase:
    """One file of them; findings are lines as describe() writes them."""

    name: str
    conf: str
    findings: tuple[str, ...]
    version: Version | None

    @property
    def fault(self) -> str:
        """The fault that it is about, "" where it is about none."""
        first = self.name.partition("_")[0]
        return "" if first == "wild" else first.upper()

    @property
    def is_near(self) -> bool:
        """Whether it only comes near."""
        return "_near" in self.name

    def faults(self) -> set[str]:
        """The numbers of what is to be found."""
        return {line.split(" ")[1] for line in self.findings}


def read_audit_cases() -> list[AuditCase]:
    """Return all cases, by name."""
    return [
        _parse(path.stem, path.read_text("utf-8")) for path in sorted(CASES.glob("audit/*.case"))
    ]


def site_of(conf: str, version: Version | None = None) -> Site:
    """Return a configuration as the rules see it, without what it includes."""
    text = conf.encode()
    tree = load(FILE, lambda name: text if name == FILE else _refuse(name))
    return make_site(tree.directives, version=version, sources={FILE: conf})


def find(case: AuditCase) -> list[Finding]:
    """Return what the rules find, in the order of the file."""
    found = audit(site_of(case.conf, case.version))
    return sorted(found, key=lambda one: (one.at.line, one.at.column, one.fault, one.message))


def describe(finding: Finding) -> str:
    """Return a finding as a case has it."""
    at = finding.at
    return f"{at.line}:{at.column} {finding.fault} {finding.severity.name.lower()}"


def _parse(name: str, text: str) -> AuditCase:
    conf, _, expected = text.rpartition("\n---\n")
    lines = expected.splitlines()
    version = None
    if lines and lines[0].startswith("version: "):
        version = parse_version(lines.pop(0).removeprefix("version: "))
    return AuditCase(name, f"{conf}\n", tuple(lines), version)


def _refuse(name: str) -> bytes:
    raise FileNotFoundError(2, "No such file or directory", name)
