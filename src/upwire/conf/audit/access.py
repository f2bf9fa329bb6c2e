"""Faults of access: rules and sizes that refuse a handshake, and secrets in logs. F57 to F62."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from upwire.conf.audit.edits import insert_lines
from upwire.conf.audit.finding import Finding, Severity
from upwire.conf.audit.site import Place, Site, octets_of, show
from upwire.conf.syntax import Directive
from upwire.conf.values import parse_size

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_SECRET = re.compile(
    r"\$\{?arg_((?:access_|auth_|id_)?token|api_?key|jwt|auth|secret|password|sid)\b"
)
_HEADER_OCTETS = 8192  # large_client_header_buffers by default
_ANSWER_OCTETS = 4096  # proxy_buffer_size by default: a page of memory


def check_secrets(site: Site) -> Iterator[Finding]:
    """F57: what opens the tunnel is in the query, and the query in the access log."""
    for place in site.websockets:
        used = next(_uses_of_secrets(place), None)
        log = place.one("access_log")
        if used is None or (log is not None and log.args == ("off",)):
            continue
        yield Finding(
            "F57",
            _NOTE,
            used.position,
            octets_of(used),
            "a secret comes in the query, and the access log writes it down",
            "whoever reads the log may open a WebSocket in somebody's name",
            () if log is None else (f"{show(log.position)}: the access log",),
            "a ticket that is good once, a subprotocol or a cookie; or a log_format with $uri in "
            "place of $request",
        )


def _uses_of_secrets(place: Place) -> Iterator[Directive]:
    lines = [*place.block.lines, *place.effective("proxy_set_header")]
    return (line for line in lines if any(_SECRET.search(word) for word in line.args))


def check_access(site: Site) -> Iterator[Finding]:
    """F60: nobody is let in, or only other methods than GET."""
    for place in site.websockets:
        if not (place.shows("allow") and place.shows("deny")):
            continue
        lines = next((one.lines for one in place.levels if one.own("allow") or one.own("deny")), ())
        rules = _access_rules(lines)
        satisfy = place.one("satisfy")
        is_only = satisfy is None or satisfy.args != ("any",)
        if rules and rules[0].name == "deny" and rules[0].args == ("all",) and is_only:
            yield _refused(rules[0], "nobody is let in", "every handshake gets 403")
        for line in place.block.own("limit_except"):
            if "GET" in line.args or not _denies_all(line):
                continue
            yield _refused(line, "GET is refused", "a handshake is a GET: it gets 403")


def _access_rules(lines: Sequence[Directive]) -> list[Directive]:
    return [line for line in lines if line.name in ("allow", "deny")]


def _denies_all(line: Directive) -> bool:
    rules = _access_rules(line.block or ())
    return bool(rules) and rules[0].name == "deny" and rules[0].args == ("all",)


def _refused(at: Directive, message: str, effect: str) -> Finding:
    mend = "allow those who may, in front of it" if at.name == "deny" else "limit_except GET"
    return Finding("F60", _ERROR, at.position, octets_of(at), message, effect, (), mend)


def check_request_size(site: Site) -> Iterator[Finding]:
    """F61: the room for a handshake's fields was made smaller than it is by itself."""
    for place in site.websockets:
        at = place.one("large_client_header_buffers")
        size = _size(at, 1)
        if at is None or size is None or size >= _HEADER_OCTETS:
            continue
        yield Finding(
            "F61",
            _WARNING,
            at.position,
            octets_of(at),
            f"a field of more than {size} octets is refused",
            "a client with large cookies gets 400 `Request Header Or Cookie Too Large`, which is "
            "logged at level info only",
            (),
            "large_client_header_buffers 4 16k;",
        )


def check_answer_size(site: Site) -> Iterator[Finding]:
    """F62: the room for the backend's 101 was made smaller than it is by itself."""
    for place in site.websockets:
        at = place.one("proxy_buffer_size")
        size = _size(at, 0)
        if at is None or place.passes is None or size is None or size >= _ANSWER_OCTETS:
            continue
        is_own = at in place.block.lines
        yield Finding(
            "F62",
            _WARNING,
            at.position,
            octets_of(at),
            f"a 101 whose head is longer than {size} octets is refused",
            "with a Set-Cookie or a token in it the client gets 502, and the log `upstream sent "
            "too big header`",
            ("the buffer is also what a tunnel reads into, each way",),
            "proxy_buffer_size 16k;",
            () if is_own else insert_lines(place.passes, ["proxy_buffer_size 16k;"]),
        )


def _size(at: Directive | None, number: int) -> int | None:
    """Return an argument as a count of octets, None where it is none."""
    try:
        return parse_size(at.args[number]) if at is not None else None
    except (ValueError, IndexError):
        return None


RULES = (check_secrets, check_access, check_request_size, check_answer_size)
