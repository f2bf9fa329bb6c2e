"""`upwire probe`: says step by step what is wrong with a live endpoint.

Exit status 0: nothing worse than a note; 1: findings; 2: the endpoint cannot be reached, or the
options are none.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time

from upwire.client.url import parse_url
from upwire.errors import ConnectError, LocalProtocolError, UpwireError, printable
from upwire.net.loop import run_in_loop
from upwire.probe import report
from upwire.probe.blame import hosts_at_start, place, read_version, refused_lines
from upwire.probe.echo_backend import serve_until_cancelled
from upwire.probe.evidence import Evidence, Finding, Place
from upwire.probe.gathering import Step, gather
from upwire.probe.hops import Budget, resolve_name
from upwire.probe.options import ProbeOptions
from upwire.probe.verdicts import judge

_UNUSABLE = 2
_USERINFO = re.compile(r"//[^/\s@]*@")  # of a URL: it has a password
_LONG_LADDER_S = 60.0
_ADVICE = (
    "To see what arrives, run `upwire probe --echo-backend PORT` in the backend's place, "
    "and probe again."
)


def main(options: ProbeOptions) -> int:
    """Probe a URL and print what was found, or be a backend that shows what arrives."""
    if options.echo_backend is not None:
        run_in_loop(serve_until_cancelled(options.host, options.echo_backend))
        return 0
    _allow_long_ladder(options)
    try:
        return _probe(options)
    except UpwireError as error:
        print(f"upwire probe: {printable(_without_userinfo(str(error)))}", file=sys.stderr)
        return _UNUSABLE


def _without_userinfo(text: str) -> str:
    return _USERINFO.sub("//", text)


def _probe(options: ProbeOptions) -> int:
    started_s = time.monotonic()
    url = parse_url(options.url or "")
    budget = Budget(options.connections_max)
    steps: list[Step] = []

    def tell(step: Step) -> None:
        steps.append(step)
        if not options.json:
            print(report.show_step(step), flush=True)

    if not options.json:
        print(f"probing {printable(str(url))}, over at most {budget.limit} connections")
    try:
        evidence = run_in_loop(gather(options, budget, tell))
    except ConnectError:
        _tell_why_nginx_is_down(options)
        raise
    findings = _conclude(options, evidence)
    if options.json:
        print(report.to_json(evidence, steps, findings, budget.used))
    else:
        _print(evidence, findings)
        print(report.show_counts(findings, budget.used, time.monotonic() - started_s))
    return 0 if report.is_clean(findings) else 1


def _tell_why_nginx_is_down(options: ProbeOptions) -> None:
    """Where nobody answers, nginx may not have started: say what it refuses in the file."""
    if options.conf is None:
        return
    for line in refused_lines(options.conf):
        print(f"nginx does not start with this: {_told(line)}", file=sys.stderr)
    for line in run_in_loop(_unknown_hosts(options.conf, options.timeout)):
        print(f"nginx does not start where it finds as little: {_told(line)}", file=sys.stderr)


def _told(line: Place) -> str:
    return printable(f"{line.file}:{line.line}: {line.fault}: {line.message}")


async def _unknown_hosts(conf: str, timeout_s: float) -> list[Place]:
    """Return the lines of a file whose names have no address here."""
    hosts = hosts_at_start(conf)
    asked = (resolve_name(host, 0, timeout_s) for host in hosts)
    answers = await asyncio.gather(*asked, return_exceptions=True)
    return [
        line
        for line, answer in zip(hosts.values(), answers, strict=True)
        if isinstance(answer, OSError | UnicodeError)
    ]


def _conclude(options: ProbeOptions, evidence: Evidence) -> list[Finding]:
    findings = judge(evidence)
    if options.conf is None:
        return findings
    return place(findings, options.conf, read_version(evidence.base.field("Server")))


def _print(evidence: Evidence, findings: list[Finding]) -> None:
    lines = ["", *report.show_heads(evidence.base), "", *report.show_findings(findings)]
    if not evidence.base.is_open and not evidence.is_echo:
        lines.append(_ADVICE)
    print("\n".join(lines))


def _allow_long_ladder(options: ProbeOptions) -> None:
    """Ask before more than a minute of silence; nobody to ask is no."""
    if options.idle is None or options.idle <= _LONG_LADDER_S or options.yes:
        return
    if sys.stdin.isatty():
        print(f"Keep silent for {options.idle:g} s? [y/N] ", end="", file=sys.stderr, flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            return
    raise LocalProtocolError("--idle of more than a minute needs --yes")
