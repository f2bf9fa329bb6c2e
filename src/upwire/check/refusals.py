"""What nginx itself would refuse, as findings."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from upwire.check.reading import Reading
from upwire.check.target import show_version
from upwire.conf.audit import Finding, Kind, Severity
from upwire.conf.audit.refused import fault_of
from upwire.conf.audit.site import octets_of
from upwire.conf.audit.words import is_masked
from upwire.conf.directives import TABLE, Context, Version
from upwire.conf.directives import Kind as ArgumentKind
from upwire.conf.model import build
from upwire.conf.syntax import Directive, Faults, Position, Tree
from upwire.conf.validate import Validator
from upwire.errors import ConfigError, Problem
from upwire.proxy.load import NGINX_VERSION

_EFFECT = "nginx does not start; at a reload the old configuration stays in force"

_MENDS = {
    "F08": "in http:\nmap $http_upgrade $connection_upgrade { default upgrade; '' ''; }",
    "F37": "leave the path out of proxy_pass, and change it by `rewrite ... break`",
    "F38": "http:// for ws://, https:// for wss://",
}

# Where the lines of a fragment may belong, the likeliest of a kind first.
_CONTEXTS = {
    Kind.WHOLE: (Context.MAIN,),
    Kind.HTTP: (Context.HTTP, Context.STREAM, Context.MAIN, Context.MAIL, Context.UPSTREAM),
    Kind.SERVER: (Context.SERVER, Context.STREAM_SERVER),
    Kind.LOCATION: (
        *(Context.LOCATION, Context.SERVER, Context.HTTP, Context.MAIN, Context.UPSTREAM),
        *(Context.EVENTS, Context.STREAM),
    ),
}

# Modules that are not nginx's, or are of its commercial build, by how their directives begin.
_OTHERS = re.compile(
    r".*_by_lua(?:_|$)|(?:lua|vod|more|brotli|zstd|pagespeed|modsecurity|passenger|geoip2|rtmp|nchan"
    r"|push_stream|vhost_traffic_status|echo|headers?_more|set|redis2?|memc|srcache|drizzle|postgres"
    r"|subs|fancyindex|upload|auth_(?:pam|ldap|jwt|digest|gss|spnego|oidc)|ldap|js|otel|opentracing"
    r"|opentelemetry|jaeger|testcookie|check|keyval|status|health|zone|api|naxsi|shib|acme|dyups"
    r"|ssl_(?:ct|dyn)|http2|proxy_(?:connect|cache_purge|upstream)|fastcgi_cache_purge|dav_ext"
    r"|concat|trim|session_sticky|sysguard|iconv|encrypted_session|eval|form_input|array|cache_purge"
    r"|length_hiding|cookie_flag|image|njs|fair|upstream|dynamic|immutable|waf|crowdsec|app_protect)"
    r"(?:_|$)"
)
_REMOVED = {"ssl": ((1, 25, 1), "ssl behind the port: listen 443 ssl;")}
"""Directives that nginx had until a version, and what is written since."""

_INSTEAD = {"http2": "listen 443 ssl http2; before nginx 1.25.1"}
"""What is written for a directive before it came."""

_BYTE_ORDER_MARK = "\xef\xbb\xbf"  # of UTF-8, in the latin-1 of a Directive
_LIKENESS = 0.86  # "proxy_read_timout" has 0.97, two different names of nginx often 0.8


def refusals(
    reading: Reading, kind: Kind, directives: Sequence[Directive], version: Version | None
) -> Iterator[Finding]:
    """Yield what nginx refuses, and which names it does not know.

    Of a whole file all that its start would show; of a part, what each directive shows by itself;
    of a template only what holds whatever is put in.
    """
    unknown = {_place(line.position): line for line in unknown_directives(directives)}
    for line in unknown.values():
        if (finding := _name(line, version)) is not None:
            yield finding
    unread = _unread_includes(reading)
    for problem in _problems(reading, kind, version):
        place = (problem.file, problem.line, problem.column)
        if problem.severity == "emerg" and place not in unknown and place not in unread:
            yield _refusal(problem, reading)
    if version is not None:
        yield from _too_new(directives, version)


def is_other_protocol(reading: Reading, kind: Kind) -> bool:
    """Whether the file is a part of `stream` or `mail`, where the rules for HTTP do not hold."""
    context = _best_context(kind, reading.tree.directives)
    return bool(context & (Context.STREAM | Context.STREAM_SERVER | Context.MAIL))


def unknown_directives(directives: Iterable[Directive]) -> Iterator[Directive]:
    """Yield the directives that nginx has in no module, the outermost of each block."""
    for line in directives:
        rows = TABLE.get(line.name)
        if rows is None:
            yield line
        elif not any(row.kind is ArgumentKind.TABLE for row in rows):
            yield from unknown_directives(line.block or ())


def _problems(reading: Reading, kind: Kind, version: Version | None) -> tuple[Problem, ...]:
    """Return what the loader says, as far as the file lets it judge."""
    tree = reading.tree
    if any(masked.has_statements for masked in reading.masked.values()):
        return ()
    if reading.is_template:
        return tree.faults.problems()
    if kind is not Kind.WHOLE:
        faults = _faults_in(_best_context(kind, tree.directives), tree.directives)
        faults.extend(tree.faults)
        return faults.problems()
    try:
        build(Tree(tree.directives, tree.faults), version=version or NGINX_VERSION)
    except ConfigError as error:
        return error.problems
    return ()


def _best_context(kind: Kind, directives: Sequence[Directive]) -> Context:
    """Return where a file's lines belong, by where the fewest of those that are known are wrong."""
    unknown = {_place(line.position) for line in unknown_directives(directives)}

    def count_wrong(context: Context) -> int:
        problems = _faults_in(context, directives).problems()
        return sum((one.file, one.line, one.column) not in unknown for one in problems)

    return min(_CONTEXTS[kind], key=count_wrong)


def _faults_in(context: Context, directives: Sequence[Directive]) -> Faults:
    faults = Faults()
    Validator(faults).check(directives, context)
    return faults


def _name(line: Directive, version: Version | None) -> Finding | None:
    """Return what is to be said of a name that nginx does not know."""
    if line.name in _REMOVED:
        return _removed(line, version)
    if _OTHERS.match(line.name) or is_masked(line.name):
        return None
    at, octets = line.position, len(line.name)
    if line.name.startswith(_BYTE_ORDER_MARK):
        message = "the file begins with a byte order mark, which nginx takes for a part of a name"
        mend = "save the file as UTF-8 without a byte order mark"
        return Finding("F87", Severity.ERROR, at, octets, message, _EFFECT, (), mend)
    meant = _nearest(line.name)
    if meant is None:
        message = f"{line.name} is no directive of nginx"
        effect = "without the module that has it, nginx does not start"
        return Finding("F87", Severity.NOTE, at, octets, message, effect)
    message = f'unknown directive "{line.name}"'
    return Finding("F87", Severity.ERROR, at, octets, message, _EFFECT, (), f"{meant} is meant?")


def _removed(line: Directive, version: Version | None) -> Finding | None:
    since, mend = _REMOVED[line.name]
    if version is not None and version < since:
        return None
    severity = Severity.NOTE if version is None else Severity.ERROR
    message = f"nginx {show_version(since)} took {line.name} out"
    return Finding("F87", severity, line.position, octets_of(line), message, _EFFECT, (), mend)


@cache
def _nearest(name: str) -> str | None:
    found = difflib.get_close_matches(name[:100], TABLE, n=1, cutoff=_LIKENESS)
    return found[0] if found else None


def _refusal(problem: Problem, reading: Reading) -> Finding:
    fault = fault_of(problem.message)
    file = problem.file or reading.path
    at = Position(file, max(problem.line, 1), max(problem.column, 1))
    octets = _word_octets(reading, at) if problem.line else 1
    mend = problem.mend or _MENDS.get(fault, "")
    return Finding(fault, Severity.ERROR, at, octets, problem.message, _EFFECT, (), mend)


def _word_octets(reading: Reading, at: Position) -> int:
    lines = reading.sources.get(at.file, "").split("\n")
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    found = re.match(r"[\"']?[^ \t\r;{}]+", line[at.column - 1 :])
    return len(found[0]) if found else 1


def _too_new(directives: Iterable[Directive], version: Version) -> Iterator[Finding]:
    for line in directives:
        rows = TABLE.get(line.name, ())
        if rows and all(row.since is not None and row.since > version for row in rows):
            since = min(row.since for row in rows if row.since is not None)
            yield Finding(
                "F87",
                Severity.ERROR,
                line.position,
                octets_of(line),
                f"{line.name} came with nginx {show_version(since)}, and this is "
                f"for {show_version(version)}",
                _EFFECT,
                (),
                _INSTEAD.get(line.name, ""),
            )
        if not any(row.kind is ArgumentKind.TABLE for row in rows):
            yield from _too_new(line.block or (), version)


def _unread_includes(reading: Reading) -> set[tuple[str, int, int]]:
    return {_place(found.arg_positions[0]) for found, _ in reading.unread_includes()}


def _place(position: Position) -> tuple[str, int, int]:
    return position.file, position.line, position.column
