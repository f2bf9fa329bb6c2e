"""What the answers to the cases mean: rules, each a function of the evidence."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from upwire.conf.audit.finding import Severity
from upwire.errors import RemoteProtocolError, printable
from upwire.probe import refusals
from upwire.probe.cases import EVIL_ORIGIN, LISTED_FIELD, PROBE_QUERY, UNDERSCORE_FIELD
from upwire.probe.echo_backend import OWN_FIELDS
from upwire.probe.evidence import Evidence, Finding
from upwire.probe.lifetime import RULES as LIFETIME_RULES
from upwire.wire.deflate import DeflateOptions
from upwire.wire.fields import has_token, parse_list
from upwire.wire.handshake import check_response
from upwire.wire.http1 import RequestHead, ResponseHead

Rule = Callable[[Evidence], Iterator[Finding]]

_DAY_S = 86400.0
_EXPIRY_WARNING_S = 14 * _DAY_S
_ONCE_FIELDS = ("Upgrade", "Connection", "Host")
_CONTENT_FIELDS = frozenset(
    ("transfer-encoding", "content-encoding", "vary", "keep-alive", "etag", "last-modified")
)
_SPELLINGS = (
    ("capitals", "F39", "Upgrade: WebSocket, which is as right as websocket,"),
    ("keep-alive", "F09", "Connection: keep-alive, Upgrade, as Firefox sends it,"),
)
_ODD_CASES = (("post", "POST"), ("http-1.0", "HTTP/1.0"), ("version-12", "version 12"))


def judge(evidence: Evidence) -> list[Finding]:
    """Return what is wrong, the worst first; a fault is told once."""
    found: dict[str, Finding] = {}
    for rule in RULES:
        for finding in rule(evidence):
            known = found.get(finding.fault or finding.message)
            if known is None or known.severity < finding.severity:
                found[finding.fault or finding.message] = finding
    return sorted(found.values(), key=lambda finding: -finding.severity)


def _tls(evidence: Evidence) -> Iterator[Finding]:
    """F34 F81."""
    tls = evidence.tls
    if tls is None:
        return
    if tls.is_http1_refused:
        yield Finding("F81", Severity.ERROR, "TLS fails for a client that offers http/1.1 only")
    if tls.problem:
        fault = "F34" if "match" in tls.problem or "mismatch" in tls.problem else ""
        yield Finding(fault, Severity.ERROR, f"the certificate is refused: {tls.problem}")
    elif tls.expires_s is not None and tls.expires_s < _EXPIRY_WARNING_S:
        days = tls.expires_s / _DAY_S
        yield Finding("", Severity.WARNING, f"the certificate ends in {days:.0f} days")


def _opening(evidence: Evidence) -> Iterator[Finding]:
    """F01 F02 F03 F04 F10 F30 F31 F32 F33 F35 F36 F50 F51 F54 F55 F56 F60 F61 F62 F63 F80."""
    refused = refusals.explain(evidence)
    if refused is not None:
        yield refused
        return
    seen = evidence.seen("handshake")
    lost = None if seen is None else refusals.lost_fields(seen, is_fine_elsewhere=False)
    if lost is not None:
        yield lost


def _hops(evidence: Evidence) -> Iterator[Finding]:
    """Between which two hops a handshake is lost, or which is not on its way."""
    hops = [("the URL", evidence.base), *evidence.via]
    if evidence.direct is not None:
        hops.append(("the backend", evidence.direct))
    for (outer, outside), (inner, inside) in itertools.pairwise(hops):
        if inside.is_open and not outside.is_open:
            told = f"it opens at {inner}, and not at {outer}: what is between them is to blame"
            yield Finding("", Severity.NOTE, told)
        elif outside.is_open and not inside.is_open:
            told = f"it opens at {outer}, and not at {inner}: address or path may be others there"
            yield Finding("", Severity.NOTE, told)


def _answer(evidence: Evidence) -> Iterator[Finding]:
    """The 101 against RFC 6455 §4.1, and what was offered. F13."""
    for case, deflate in (("handshake", None), ("offers", DeflateOptions())):
        answer = evidence.front.get(case)
        if answer is None or answer.response is None or not answer.is_open:
            continue
        headers = answer.request.headers
        offered = parse_list(headers.combined("Sec-WebSocket-Protocol") or "")
        key = headers.get("Sec-WebSocket-Key") or ""
        try:
            check_response(answer.response, key, offered, deflate)
        except RemoteProtocolError as error:
            fault = "F13" if _is_switch(answer.response) else ""
            told = f"the 101 breaks a rule: {error}"
            yield Finding(fault, Severity.ERROR, told, ("F13",))


def _is_switch(response: ResponseHead) -> bool:
    """Whether a 101 is right but for what Sec-WebSocket-* fields say."""
    switches = has_token(response.headers, "Upgrade", "websocket")
    return switches and has_token(response.headers, "Connection", "upgrade")


def _offers(evidence: Evidence) -> Iterator[Finding]:
    """F13."""
    answer = evidence.front.get("offers")
    if answer is None or not evidence.base.is_open or evidence.is_limited("offers"):
        return
    seen, direct = evidence.seen("offers"), evidence.backend.get("offers")

    def is_chosen(name: str) -> bool:
        return evidence.is_echo or (direct is not None and bool(direct.field(name)))

    for name in ("Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"):
        if seen is not None and seen.headers.combined(name) != answer.request.headers.get(name):
            yield Finding("F13", Severity.ERROR, f"{name} does not reach the backend as it is sent")
        elif is_chosen(name) and answer.is_open and not answer.field(name):
            yield Finding("F13", Severity.ERROR, f"the answer's {name} is lost on the way back")


def _fields(evidence: Evidence) -> Iterator[Finding]:
    """F10 F14 F50 F51 F53: what the backend sees of the fields."""
    seen = evidence.seen("handshake")
    if seen is None:
        return
    for name in _ONCE_FIELDS:
        if len(seen.headers.get_all(name)) > 1:
            yield Finding("F10", Severity.WARNING, f"the backend gets more than one {name}")
    yield from _host(evidence, seen.headers.get("Host") or "")
    if evidence.asked.url.is_secure and "X-Forwarded-Proto" not in seen.headers:
        yield Finding("F53", Severity.NOTE, "the backend is not told of TLS: no X-Forwarded-Proto")
    queried = evidence.seen("query")
    if queried is not None and UNDERSCORE_FIELD not in queried.headers:
        told = "fields whose names have underscores do not reach the backend"
        yield Finding("F14", Severity.NOTE, told)


def _host(evidence: Evidence, host: str) -> Iterator[Finding]:
    url = evidence.asked.url
    sent = evidence.base.request.headers.get("Host") or url.authority
    if host.lower() == sent.lower():
        return
    told = f"the backend sees Host {printable(host)!r} instead of {sent!r}"
    if host.lower() == url.host.lower():
        yield Finding("F51", Severity.WARNING, told)
    else:
        yield Finding("F50", Severity.WARNING, told, ("F04", "F51"))


def _path(evidence: Evidence) -> Iterator[Finding]:
    """F30 F36: what the backend sees of the request-target."""
    seen = evidence.seen("handshake") or evidence.seen("plain")
    if seen is None:
        return
    path, sent = seen.path, evidence.base.request.path
    if "//" in path and "//" not in sent:
        told = f"the backend sees {printable(path)} for {printable(sent)}"
        yield Finding("F30", Severity.ERROR, told)
    elif path != sent:
        told = f"the backend sees {printable(path)} for {printable(sent)}"
        yield Finding("F30", Severity.NOTE, told)
    queried = evidence.seen("query")
    if queried is not None and PROBE_QUERY not in queried.query:
        yield Finding("F36", Severity.WARNING, "the query does not reach the backend")


def _plain(evidence: Evidence) -> Iterator[Finding]:
    """F05 F06 F07 F84: a GET that asks for no upgrade."""
    answer, seen = evidence.front.get("plain"), evidence.seen("plain")
    if answer is None:
        return
    if answer.is_open:
        yield Finding("F06", Severity.ERROR, "a plain GET is answered with 101, and hangs")
    elif not answer.status and evidence.base.is_open:
        direct = evidence.backend.get("plain")
        is_answered = direct is not None and direct.status >= 200
        severity = Severity.WARNING if is_answered else Severity.NOTE
        yield Finding("F06", severity, f"a plain GET gets no answer: {answer.error}")
    elif seen is not None and "Upgrade" in seen.headers:
        value = printable(seen.headers.get("Upgrade") or "")
        yield Finding(
            "F06", Severity.WARNING, f"plain GETs reach the backend with Upgrade: {value}"
        )
    elif seen is not None and has_token(seen.headers, "Connection", "upgrade"):
        told = "plain GETs reach the backend with Connection: upgrade, and no Upgrade"
        yield Finding("F05", Severity.NOTE, told)
    elif seen is not None and _is_closing(evidence, seen):
        told = (
            "plain GETs reach the backend with Connection: close, each on a connection of its own"
        )
        yield Finding("F07", Severity.NOTE, told)
    lost = sorted(_added_fields(evidence) - _names(evidence, "handshake"))
    if evidence.base.is_open and lost:
        told = f"not in the 101, though in other answers: {printable(', '.join(lost))}"
        yield Finding("F84", Severity.NOTE, told)


def _is_closing(evidence: Evidence, seen: RequestHead) -> bool:
    return evidence.base.is_open and has_token(seen.headers, "Connection", "close")


def _added_fields(evidence: Evidence) -> set[str]:
    """The names of the fields that a gateway adds to the answer to a plain GET."""
    if evidence.is_echo:
        own = OWN_FIELDS | {"upgrade"} | _names(evidence, "version-12")
    elif "plain" in evidence.backend:
        sent = evidence.backend["plain"].response
        names = () if sent is None else (name.lower() for name, _ in sent.headers.items())
        own = OWN_FIELDS | set(names)
    else:
        return set()
    if evidence.front["plain"].status not in (200, 201, 204, 206, 301, 302, 303, 304, 307, 308):
        return set()  # add_header without `always` adds nothing to others
    return _names(evidence, "plain") - own - _CONTENT_FIELDS


def _names(evidence: Evidence, case: str) -> set[str]:
    answer = evidence.front.get(case)
    if answer is None or answer.response is None:
        return set()
    return {name.lower() for name, _ in answer.response.headers.items()}


def _tokens(evidence: Evidence) -> Iterator[Finding]:
    """F09 F39: other spellings of the same handshake."""
    if not evidence.base.is_open:
        return
    for case, fault, told in _SPELLINGS:
        if _is_refused_alone(evidence, case):
            status = evidence.front[case].status
            yield Finding(fault, Severity.WARNING, f"{told} is refused ({status})")
    listed = evidence.seen("listed")
    if listed is not None and has_token(listed.headers, "Connection", LISTED_FIELD):
        told = "the client's Connection reaches the backend, and may name fields to be dropped"
        yield Finding("F09", Severity.SECURITY, told)


def _is_refused_alone(evidence: Evidence, case: str) -> bool:
    """Whether a case is refused by the gateway: neither by the backend nor by a limit."""
    answer, direct = evidence.front.get(case), evidence.backend.get(case)
    if answer is None or answer.is_open or not answer.status or evidence.is_limited(case):
        return False
    return direct is None or not direct.status or direct.is_open


def _leniency(evidence: Evidence) -> Iterator[Finding]:
    """F11 F12 F52: what should not have been let through."""
    if evidence.is_open("h2c"):
        told = "Upgrade: h2c is answered with 101: requests in it pass the gateway's rules by"
        yield Finding("F12", Severity.SECURITY, told)
    elif (seen := evidence.seen("h2c")) is not None and has_token(seen.headers, "Upgrade", "h2c"):
        yield Finding("F12", Severity.NOTE, "the gateway passes on Upgrade: h2c")
    odd = [title for case, title in _ODD_CASES if evidence.is_open(case)]
    if odd:
        told = f"answered with 101: {', '.join(odd)}; the gateway checks no handshake"
        yield Finding("F11", Severity.NOTE, told)
    origin = evidence.seen("evil-origin")
    if origin is not None and origin.headers.get("Origin") != EVIL_ORIGIN:
        told = "the Origin of other sites does not reach the backend, which cannot refuse it"
        yield Finding("F52", Severity.SECURITY, told)


def _limits(evidence: Evidence) -> Iterator[Finding]:
    """F61 F62 F63: large heads, and errors that are replaced."""
    if evidence.base.is_open and _is_refused_alone(evidence, "cookie"):
        status = evidence.front["cookie"].status
        yield Finding("F61", Severity.NOTE, f"a cookie of 16 KiB is refused ({status})")
    big = evidence.front.get("big-answer")
    if evidence.base.is_open and big is not None and big.status == 502:
        yield Finding("F62", Severity.NOTE, "an answer's head of 6000 octets is refused (502)")
    old = evidence.front.get("version-12")
    if old is None or not old.status or old.is_open or evidence.is_limited("version-12"):
        return
    direct = evidence.backend.get("version-12")
    wanted = 426 if evidence.base.received is not None else direct.status if direct else 0
    if evidence.base.is_open and wanted in (400, 426) and old.status != wanted:
        told = f"a refusal of the backend ({wanted}) is replaced by {old.status}"
        yield Finding("F63", Severity.WARNING, told)


def _slash(evidence: Evidence) -> Iterator[Finding]:
    """F31."""
    answer = evidence.front.get("slash")
    if not evidence.base.is_open or answer is None or answer.status not in (301, 308):
        return
    path = printable(answer.request.path)
    yield Finding("F31", Severity.NOTE, f"{path} is redirected, where no browser follows")


RULES: tuple[Rule, ...] = (
    _tls,
    _opening,
    _hops,
    _answer,
    _offers,
    _fields,
    _path,
    _plain,
    _tokens,
    _leniency,
    _limits,
    _slash,
    *LIFETIME_RULES,
)
"""Every rule; each docstring begins with the numbers of the faults that it finds."""
