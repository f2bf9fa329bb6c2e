"""Runs `upwire check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from upwire.check.built import build_whole
from upwire.check.explaining import explain
from upwire.check.formats import to_github, to_json, to_sarif
from upwire.check.mending import diff, mend, write
from upwire.check.options import CheckOptions
from upwire.check.reading import find_files, read
from upwire.check.report import has_reached, report, show_text
from upwire.check.routes_map import draw_map
from upwire.check.verdict import Verdict, judge
from upwire.conf.model import Config


def main(options: CheckOptions) -> int:
    """Print what is wrong; return 0 where nothing at or above the level is, and 1 otherwise."""
    paths = find_files(options.path, options.prefix)
    if options.fix or options.diff:
        verdicts = [_mend(path, options) for path in paths]
    else:
        verdicts = [_judge(path, options) for path in paths]
    if options.map or options.explain:
        for verdict in verdicts:
            _print_built(build_whole(verdict), options)
        return 0
    _print(verdicts, options)
    return int(has_reached(verdicts, options.least))


def _judge(path: str, options: CheckOptions, instead: Mapping[str, str] | None = None) -> Verdict:
    return judge(read(path, prefix=options.prefix, instead=instead), nginx=options.nginx)


def _mend(path: str, options: CheckOptions) -> Verdict:
    """Print what mending changes, and write it if asked to; return what is to be said then."""
    verdict = _judge(path, options)
    sources = verdict.reading.sources
    mended = mend(verdict, lambda texts: _judge(path, options, {**sources, **texts}))
    _print_diff(diff(sources, mended.texts))
    if options.diff:
        return verdict
    for file, text in mended.texts.items():
        write(file, text)
        print(f"\nwrote {show_text(file)}\n")
    return mended.verdict


def _print_diff(lines: Iterable[str]) -> None:
    """Print a diff, behind a pipe octet for octet, so that it can be applied."""
    if sys.stdout.isatty():
        for line in lines:
            print(show_text(line))
    else:
        text = "".join(f"{line}\n" for line in lines)
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("latin-1"))
        sys.stdout.buffer.flush()


def _print_built(config: Config, options: CheckOptions) -> None:
    lines = (
        explain(config, options.explain[0], options.explain[1])
        if options.explain
        else draw_map(config)
    )
    for line in lines:
        print(show_text(line))


def _print(verdicts: Sequence[Verdict], options: CheckOptions) -> None:
    if options.json:
        print(to_json(verdicts))
    elif options.sarif:
        print(to_sarif(verdicts))
    elif options.github:
        for line in to_github(verdicts):
            print(line)
    elif not options.diff:
        _print_report(verdicts)


def _print_report(verdicts: Sequence[Verdict]) -> None:
    is_coloured = _takes_colours()
    for verdict in verdicts:
        for line in report(verdict, is_coloured=is_coloured):
            print(line)


def _takes_colours() -> bool:
    """Whether standard output is a terminal that shows colours; https://no-color.org."""
    is_wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return is_wanted and sys.stdout.isatty()
