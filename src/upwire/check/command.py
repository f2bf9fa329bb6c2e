"""Runs `upwire check`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence

from upwire.check.built import build_whole, left_out
from upwire.check.explaining import explain
from upwire.check.formats import to_github, to_json, to_sarif
from upwire.check.mending import diff, mend, write
from upwire.check.options import CheckOptions
from upwire.check.reading import Reading, find_files, on_disk, read, refuse_others
from upwire.check.report import has_reached, report, show_text
from upwire.check.routes_map import draw_map
from upwire.check.verdict import Verdict, judge
from upwire.conf.audit import Finding
from upwire.conf.model import Config


def main(options: CheckOptions) -> int:
    """Print what is wrong; return 0 where nothing at or above the level is, and 1 otherwise."""
    paths = find_files(options.path, options.prefix)
    readings = refuse_others([read(path, prefix=options.prefix) for path in paths])
    verdicts = _judge_together(readings, options)
    if options.fix or options.diff:
        verdicts = [_mend(verdict, options) for verdict in verdicts]
    if options.map or options.explain:
        for verdict in verdicts:
            _tell_left_out(verdict)
            _print_built(build_whole(verdict), options)
        return 0
    _print(verdicts, options)
    return int(has_reached(verdicts, options.least))


def _judge_together(readings: Sequence[Reading], options: CheckOptions) -> list[Verdict]:
    """Judge parts of one site: where one has WebSockets, the others need not."""
    verdicts = [judge(reading, nginx=options.nginx) for reading in readings]
    if not any(verdict.has_websockets for verdict in verdicts):
        return verdicts
    return [
        one if one.has_websockets else judge(one.reading, nginx=options.nginx, is_alone=False)
        for one in verdicts
    ]


def _mend(verdict: Verdict, options: CheckOptions) -> Verdict:
    """Print what mending changes, and write it if asked to; return what is to be said then."""
    reading = verdict.reading

    def judge_again(texts: Mapping[str, str]) -> Verdict:
        instead = {**reading.sources, **texts}
        again = read(on_disk(reading.path), prefix=options.prefix, instead=instead)
        return judge(again, nginx=options.nginx, is_alone=verdict.is_alone)

    mended = mend(verdict, judge_again)
    _tell_mended(mended.findings)
    _print_diff(diff(reading.sources, mended.texts))
    if options.diff:
        return verdict
    for file, text in mended.texts.items():
        write(file, text)
        print(f"\nwrote {show_text(file)}\n")
    return mended.verdict


def _tell_mended(findings: Iterable[Finding]) -> None:
    """Say what is mended, beside the diff, which a program may want alone."""
    for fault, message in dict.fromkeys((one.fault, one.message) for one in findings):
        print(f"mends {fault}: {show_text(message)}", file=sys.stderr)


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


def _tell_left_out(verdict: Verdict) -> None:
    """Say what neither the map nor the explanation can show."""
    for line in left_out(verdict):
        words = " ".join((line.name, *line.args)) if line.name == "include" else line.name
        place = show_text(f"{words} ({line.file}:{line.line})")
        print(f"upwire check: without {place}, which is not known here", file=sys.stderr)


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
