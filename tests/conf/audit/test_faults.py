"""The table of faults against the rules, and the page made from both."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from kit.nginx import environment
from upwire.conf.audit import RULES
from upwire.conf.audit.faults import FAULTS

_ROOT = Path(__file__).parents[3]


def test_every_fault_has_a_rule_or_a_reason() -> None:
    found = {
        number for rule in RULES for number in re.findall(r"F\d\d(?=[,:])", rule.__doc__ or "")
    }
    assert found == {number for number, fault in FAULTS.items() if not fault.reason}


def test_the_page_is_what_the_table_says() -> None:
    command = [sys.executable, "docs/faults.py", "--check"]
    ran = subprocess.run(command, cwd=_ROOT, env=environment(), check=False, capture_output=True)
    assert (ran.returncode, ran.stderr) == (0, b""), "make docs"
