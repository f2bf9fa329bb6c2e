"""The table of faults is whole, and its cases are cases."""

from __future__ import annotations

import itertools
import re

from upwire.conf.variables import is_known
from upwire.probe import lifetime, verdicts
from upwire.probe.cases import BIG_ANSWER, HANDSHAKE, VARIANTS
from upwire.probe.faults import FAULTS

ASKED_ALONE = {"TLS", "idle", "parallel", "half-close", "proxy-protocol"}
ASKED_MORE = {"root", "without-extension", "portless-origin"}


def test_every_number_has_a_row() -> None:
    ranges = ((1, 15), (20, 29), (30, 45), (50, 65), (70, 89))
    wanted = itertools.chain.from_iterable(range(*ends) for ends in ranges)
    assert list(FAULTS) == [f"F{number:02}" for number in wanted]


def test_a_row_has_a_case_or_a_reason() -> None:
    cases = {case.name for case in (HANDSHAKE, *VARIANTS, BIG_ANSWER)} | ASKED_ALONE | ASKED_MORE
    for fault in FAULTS.values():
        assert bool(fault.case) is not bool(fault.reason), fault
        assert bool(fault.mend) is bool(fault.case), fault
        assert fault.is_in_file is ("`--conf`, its line is told" in fault.reason), fault
        assert set(fault.case.split(", ") if fault.case else ()) <= cases, fault


def test_a_mend_defines_the_variables_that_nginx_does_not() -> None:
    for fault in FAULTS.values():
        defined = set(re.findall(r"map \S.*? \$(\w+) \{", fault.mend))
        for name in re.findall(r"\$(\w+)", fault.mend):
            assert is_known(name, defined), (fault.number, name)


def test_rules_name_faults_that_have_cases() -> None:
    for rule in (*verdicts.RULES, *lifetime.RULES):
        for number in re.findall(r"F\d\d", rule.__doc__ or ""):
            assert FAULTS[number].case, (rule, number)
