"""Why a handshake that should open does not: the first explanation that fits."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

from upwire.conf.audit.finding import Severity
from upwire.errors import HandshakeRefused, printable
from upwire.probe.cases import other_slash
from upwire.probe.evidence import Evidence, Finding
from upwire.wire.fields import has_token
from upwire.wire.handshake import check_response
from upwire.wire.http1 import RequestHead

_Explain = Callable[[Evidence], Finding | None]

_NGINX_PAGE = re.compile(rb"<center>(?:nginx|openresty|angie)")
_WANTS_HTTP_1_1 = re.compile(
    r"this is HTTP/1\.0|unsupported (?:protocol|HTTP version)|HTTP version|expected HTTP/1\.1", re.I
)
_WANTS_CONNECTION = re.compile(
    r"connection lacks|no connection upgrade|(?:missing|invalid) connection|without connection",
    re.I,
)
_WANTS_UPGRADE = re.compile(r"upgrade|web-?socket", re.I)
_TOO_LARGE = re.compile(rb"Header Or Cookie Too Large|URI Too", re.I)
_PROXY_BUFFER_OCTETS = 4000  # of the 4096 that are nginx's least default
_BAD_HANDSHAKE = (400, 404, 405, 426, 500, 501, 505)


def explain(evidence: Evidence) -> Finding | None:
    """Return why the handshake did not open; None where it did."""
    if evidence.base.is_open:
        return None
    for one in _EXPLANATIONS:
        if (finding := one(evidence)) is not None:
            return finding
    return _error("", f"the handshake is refused: {_sentence(evidence)}", "F01", "F63")


def lost_fields(seen: RequestHead, *, is_fine_elsewhere: bool) -> Finding | None:
    """Return what the gateway took from a handshake, as the backend got it."""
    has_upgrade = has_token(seen.headers, "Upgrade", "websocket")
    has_connection = has_token(seen.headers, "Connection", "upgrade")
    version = f"HTTP/{seen.version[0]}.{seen.version[1]}"
    if not has_upgrade and not has_connection:
        fault = "F04" if is_fine_elsewhere else "F01"
        suspects = ("F01",) if is_fine_elsewhere else ("F04", "F03")
        told = f"the backend sees {version} with neither Upgrade nor Connection: upgrade"
        return _error(fault, told, *suspects)
    if not has_upgrade or not has_connection:
        lost = "Connection: upgrade" if has_upgrade else "Upgrade"
        return _error("F02", f"the backend sees a handshake without {lost}", "F04")
    if seen.version < (1, 1):
        return _error("F03", f"the backend sees the handshake as {version}")
    return None


def _by_received(evidence: Evidence) -> Finding | None:
    seen = evidence.seen("handshake")
    if seen is None:
        return None
    root = evidence.seen("root")
    is_fine = root is not None and has_token(root.headers, "Upgrade", "websocket")
    return lost_fields(seen, is_fine_elsewhere=is_fine)


def _no_answer(evidence: Evidence) -> Finding | None:
    if evidence.base.status:
        return None
    after_preface = evidence.front.get("proxy-protocol")
    if after_preface is not None and after_preface.status not in (0, 400):
        return _error("F54", "the port answers only behind a PROXY protocol header")
    others = [answer for answer in evidence.front.values() if answer.status]
    if evidence.is_direct_open or others:
        return _error("F56", f"the connection ends without an answer: {evidence.base.error}", "F34")
    return _error("", evidence.base.error)


def _redirected(evidence: Evidence) -> Finding | None:
    if evidence.base.status not in (301, 302, 303, 307, 308):
        return None
    location = evidence.base.field("Location")
    told = f"the handshake is redirected to {printable(location)}, where no browser follows"
    try:
        target = urlsplit(location)
    except ValueError:
        return _error("F34", told)
    if target.path == other_slash(evidence.asked.url.resource).partition("?")[0]:
        return _error("F31", told)
    is_same_path = target.path == evidence.asked.url.resource.partition("?")[0]
    if target.scheme == "https" and is_same_path and not evidence.asked.url.is_secure:
        return _error("F32", told)
    return _error("F34", told, "F35", "F55")


def _intercepted(evidence: Evidence) -> Finding | None:
    """A backend of ours answers a plain GET, but another page comes for the handshake."""
    is_ours = evidence.is_echo and evidence.base.received is None
    if not is_ours or _NGINX_PAGE.search(evidence.base.body) or evidence.base.status in (401, 403):
        return None
    if evidence.base.status in (301, 302, 502, 503, 504) or _has_two_hosts(evidence):
        return None
    told = f"the backend's refusal is replaced by {evidence.base.status} {_reason(evidence)}"
    return _error("F63", told, "F01", "F02", "F03", "F04")


def _by_status(evidence: Evidence) -> Finding | None:
    explain_status = _STATUSES.get(evidence.base.status)
    return None if explain_status is None else explain_status(evidence)


def _unauthorized(evidence: Evidence) -> Finding | None:
    if evidence.direct is not None and evidence.direct.status == 401:
        return _error("", "the application wants credentials")
    return _error("F55", "the handshake is refused without credentials (401)")


def _forbidden(evidence: Evidence) -> Finding | None:
    if evidence.is_open("portless-origin"):
        return _error("F51", "the Origin is refused with its port, and taken without", "F50")
    if evidence.is_open("no-origin"):
        return _error("F50", "the right Origin is refused, and none is taken", "F51")
    if _NGINX_PAGE.search(evidence.base.body):
        return _error("F60", "the gateway itself refuses the client (403)", "F39")
    if evidence.is_direct_open:
        return _error("F50", "the right Origin is refused here, and not by the backend", "F51")
    return _error("F50", f"the handshake is forbidden: {_sentence(evidence)}", "F51", "F60")


def _not_found(evidence: Evidence) -> Finding | None:
    if evidence.is_open("without-extension"):
        told = "the path is not found (404), and opens without its extension"
        return _error("F33", told)
    if _NGINX_PAGE.search(evidence.base.body):
        told = "the gateway itself has no such path (404)"
        return _error("F33", told, "F44", "F34", "F35", "F42", "F39")
    if evidence.is_direct_open and not _WANTS_UPGRADE.search(_text(evidence)):
        told = "the backend does not know the path that it gets (404), and knows the one asked for"
        return _error("F30", told, "F01", "F33", "F36")
    return None


def _bad_request(evidence: Evidence) -> Finding | None:
    if b"HTTPS port" in evidence.base.body:
        return _error("F80", "plain HTTP reaches a TLS port")
    if _TOO_LARGE.search(evidence.base.body):
        return _error("F61", "the request's head is too large for the gateway")
    if _has_two_hosts(evidence):
        return _error("F10", "the backend gets more than one Host")
    return None


def _page(evidence: Evidence) -> Finding | None:
    if evidence.direct is not None and not evidence.direct.is_open:
        return _error("F63", f"200 here, {evidence.direct.status} from the backend", "F35")
    told = "a page comes instead of a WebSocket (200)"
    return _error("F35", told, "F01", "F63", "F34")


def _bad_gateway(evidence: Evidence) -> Finding | None:
    direct = evidence.direct
    if direct is not None and direct.response is not None:
        octets = direct.response.headers.octets
        if octets > _PROXY_BUFFER_OCTETS:
            return _error("F62", f"502, and the head of the backend's answer has {octets} octets")
    told = "the gateway does not reach the backend, or does not understand it (502)"
    return _error("F36", told, "F40", "F41", "F62", "F64", "F80", "F82")


def _unavailable(evidence: Evidence) -> Finding | None:
    return _error("F59", "the gateway refuses more requests (503)", "F58")


def _failed(evidence: Evidence) -> Finding | None:
    if _NGINX_PAGE.search(evidence.base.body):
        return _error("F56", "the gateway fails by itself (500)", "F70", "F36")
    return None


def _by_text(evidence: Evidence) -> Finding | None:
    """What a server's refusal says, which is all that there is without a backend of ours."""
    text, status = _text(evidence), evidence.base.status
    if status not in _BAD_HANDSHAKE:
        return None
    if _WANTS_CONNECTION.search(text):
        return _error("F02", f"a handshake lacks Connection: {_sentence(evidence)}", "F01", "F04")
    if status == 505 or _WANTS_HTTP_1_1.search(text):
        return _error("F03", f"it arrives as HTTP/1.0: {_sentence(evidence)}", "F01", "F04")
    if evidence.is_direct_open or status == 426 or _WANTS_UPGRADE.search(text):
        told = f"it does not arrive as a handshake: {_sentence(evidence)}"
        return _error("F01", told, "F02", "F03", "F04")
    return None


_STATUSES: dict[int, _Explain] = {
    200: _page,
    400: _bad_request,
    401: _unauthorized,
    403: _forbidden,
    404: _not_found,
    429: _unavailable,
    431: _bad_request,
    414: _bad_request,
    500: _failed,
    502: _bad_gateway,
    503: _unavailable,
    504: _bad_gateway,
}

_EXPLANATIONS: tuple[_Explain, ...] = (
    _by_received,
    _no_answer,
    _redirected,
    _intercepted,
    _by_status,
    _by_text,
)


def _error(fault: str, message: str, *suspects: str) -> Finding:
    return Finding(fault, Severity.ERROR, message, suspects)


def _has_two_hosts(evidence: Evidence) -> bool:
    return b"more than one Host" in evidence.base.body


def _text(evidence: Evidence) -> str:
    return evidence.base.body.decode("utf-8", "replace")


def _reason(evidence: Evidence) -> str:
    response = evidence.base.response
    return printable(response.reason) if response is not None else ""


def _sentence(evidence: Evidence) -> str:
    """The server's own words, as a client of ours tells them."""
    base = evidence.base
    if base.response is None:
        return base.error
    try:
        check_response(base.response, "", body=base.body)
    except HandshakeRefused as error:
        return error.message
    raise AssertionError("a refusal is no 101")
