"""Which faults nginx's own words for what it refuses are: F08, F37, F38, F40."""

from __future__ import annotations

import re

# What nginx says is all that a Problem holds, and these words are nginx's interface as much as
# ours.
_WORDS = (
    (re.compile(r'unknown "\w*upgrad\w*" variable|"map" directive is not allowed here'), "F08"),
    (re.compile(r'"proxy_pass" cannot have URI part'), "F37"),
    (re.compile(r"invalid URL prefix"), "F38"),
    (re.compile(r"host not found in upstream"), "F40"),
)
_ANY_OTHER = "F87"


def fault_of(message: str) -> str:
    """Return the number of the fault that nginx refuses a file for with a message."""
    return next((fault for words, fault in _WORDS if words.search(message)), _ANY_OTHER)
