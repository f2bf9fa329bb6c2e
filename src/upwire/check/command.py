"""Runs `upwire check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from upwire.check.options import CheckOptions
from upwire.check.reading import find_files, read
from upwire.check.report import has_reached, report
from upwire.check.verdict import Verdict, judge


def main(options: CheckOptions) -> int:
    """Print what is wrong; return 0 where nothing at or above the level is, and 1 otherwise."""
    paths = find_files(options.path, options.prefix)
    verdicts = [judge(read(path, prefix=options.prefix), nginx=options.nginx) for path in paths]
    _print_report(verdicts)
    return int(has_reached(verdicts, options.least))


def _print_report(verdicts: Sequence[Verdict]) -> None:
    is_coloured = _takes_colours()
    for verdict in verdicts:
        for line in report(verdict, is_coloured=is_coloured):
            print(line)


def _takes_colours() -> bool:
    """Whether standard output is a terminal that shows colours; https://no-color.org."""
    is_wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return is_wanted and sys.stdout.isatty()
