"""Writes the table of docs/faults.md from the checker's rules and the prober's cases: `make docs`.

With --check it writes nothing, and ends with 1 where the page is not what it would write.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from upwire.conf.audit import RULES, Rule
from upwire.conf.audit.faults import FAULTS, Fault
from upwire.probe.faults import FAULTS as PROBED

PAGE = Path(__file__).with_name("faults.md")
BEGIN, END = "<!-- begin faults -->", "<!-- end faults -->"

_TESTS = Path(__file__).parents[1] / "tests"
_CASES = _TESTS / "cases" / "audit"
_OF_COMMANDS = ("system/test_probe*.py", "system/test_check*.py")
_NUMBERS = re.compile(r"(?:F\d\d(?:, )?)+(?=:)")
_NUMBER = re.compile(r"\bF\d\d\b")


def rules_of(number: str) -> list[Rule]:
    """Return the rules that find a fault."""
    return [rule for rule in RULES if number in _numbers(rule)]


def render() -> Iterator[str]:
    """Yield the lines of the table."""
    yield "| fault | what it is | how it shows | `upwire check` | `upwire probe` | tests |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for fault in FAULTS.values():
        cells = (fault.number, fault.title, fault.symptom, _checks(fault), _probes(fault.number))
        yield f"| {' | '.join(cells)} | {_tests(fault.number)} |"


def with_table(page: str) -> str:
    """Return the page with what stands between its marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *render(), END + after])


def main(args: Sequence[str]) -> int:
    """Write the page, or check it."""
    page = PAGE.read_text("utf-8")
    made = with_table(page)
    if "--check" in args:
        return int(page != made)
    PAGE.write_text(made, "utf-8")
    return 0


def _numbers(rule: Rule) -> list[str]:
    found = _NUMBERS.match(rule.__doc__ or "")
    return found[0].split(", ") if found else []


def _checks(fault: Fault) -> str:
    if fault.reason:
        return f"no: {fault.reason}"
    return ", ".join(
        f"`{rule.__module__.rpartition('.')[2]}.{rule.__name__}`" for rule in rules_of(fault.number)
    )


def _probes(number: str) -> str:
    row = PROBED.get(number)
    if row is None:
        return "no"
    return row.case or f"no: {row.reason}"


def _tests(number: str) -> str:
    """Return the names of the audit's cases, and of the commands' tests that speak of a fault."""
    cases = sorted(path.stem for path in _CASES.glob(f"{number.lower()}*.case"))
    files = sorted(
        str(path.relative_to(_TESTS))
        for pattern in _OF_COMMANDS
        for path in _TESTS.glob(pattern)
        if number in _NUMBER.findall(path.read_text("utf-8"))
    )
    return ", ".join(f"`{name}`" for name in (*cases, *files))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
