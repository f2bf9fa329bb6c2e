"""`split_clients`: a variable whose value a hash of another text chooses."""

from __future__ import annotations

import re

from upwire.conf.model.assembly import Assembly
from upwire.conf.model.types import SplitClients
from upwire.conf.syntax import Directive

_PERCENT = re.compile(r"(\d{0,7})(?:\.(\d{0,2}))?%")
_WHOLE = 10000  # hundredths of a percent
_HASH_MAX = 0xFFFFFFFF


def read_split_clients(directive: Directive, assembly: Assembly) -> SplitClients:
    """Return one table; lines that are wrong are noted and left out."""
    source, variable = directive.args
    parts: list[tuple[int | None, str]] = []
    total = last = 0
    for line in directive.block or ():
        share = None if line.name == "*" else _read_percent(line.name)
        if share == 0 or len(line.args) != 1:
            assembly.fault(f'invalid percent value "{line.name}"', line.position)
            continue
        total = _WHOLE if share is None else total + share
        if total > _WHOLE:
            assembly.fault("percent total is greater than 100%", directive.end)
            break
        if total == _WHOLE or share is None:
            parts.append((None, line.args[0]))
        else:
            last += share * _HASH_MAX // _WHOLE
            parts.append((last, line.args[0]))
    name = variable.removeprefix("$").lower()
    return SplitClients(name, assembly.template(source), tuple(parts), directive.position)


def _read_percent(text: str) -> int:
    """Return hundredths of a percent; 0 where text is none."""
    match = _PERCENT.fullmatch(text)
    if match is None or not (match[1] or match[2]):
        return 0
    return int(match[1] or 0) * 100 + int((match[2] or "").ljust(2, "0"))
