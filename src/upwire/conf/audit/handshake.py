"""Faults of the opening handshake on its way through nginx: F01 to F04, F12, F13."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upwire.conf.audit.edits import insert_lines, quote, replace_argument, text_of
from upwire.conf.audit.finding import Edit, Finding, Severity
from upwire.conf.audit.sent_fields import MAP, connection_value, host_variable
from upwire.conf.audit.site import Evidence, Kind, Place, Site, octets_of, show
from upwire.conf.audit.words import is_masked
from upwire.conf.syntax import Directive

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING
_SECURITY = Severity.SECURITY
_LINES = (
    "proxy_http_version 1.1;",
    "proxy_set_header Upgrade $http_upgrade;",
    "proxy_set_header Connection {connection};",
    "proxy_set_header Host {host};",
)
_HANDSHAKE_FIELDS = ("sec-websocket-key", "sec-websocket-version")
_NEGOTIATED_FIELDS = ("sec-websocket-protocol", "sec-websocket-extensions")


def check_lost_upgrade(site: Site) -> Iterator[Finding]:
    """F01, F04: Upgrade and Connection do not reach the backend."""
    shown = [place for place in site.proxied if place.shows("proxy_set_header")]
    suspects: Sequence[Place] = [
        place
        for place in shown
        if Evidence.NONE < place.evidence < Evidence.SET
        and not place.fields("connection")
        and not _has_better(site, place)
    ]
    if not any(place.evidence for place in site.proxied) and len(shown) == len(site.proxied):
        suspects = _front_door(site)
    for place in shown:
        if _hides_upgrade(place):
            is_sure = place.evidence is Evidence.NAMED or not site.websockets
            yield _reset(place, _ERROR if is_sure else _WARNING)
        elif place in suspects:
            yield _lost(place, site)


def _front_door(site: Site) -> Sequence[Place]:
    """Return where a WebSocket would arrive first in a file that speaks of none.

    Nowhere where another file has them, or where it is a part of a location, whose other parts
    are not seen.
    """
    if not site.is_alone or site.kind is Kind.LOCATION:
        return ()
    roots = [place for place in site.proxied if place.is_root]
    return (roots or site.proxied)[:1]


def _has_better(site: Site, place: Place) -> bool:
    """Whether a root is suspected for its server's name alone, and another location passes on."""
    return place.is_root and any(other.evidence is Evidence.SET for other in site.beside(place))


def _hides_upgrade(place: Place) -> bool:
    if place.evidence is Evidence.SET:
        return False
    hidden = place.hidden("proxy_set_header")
    return any(line.args[:1] and line.args[0].lower() == "upgrade" for line in hidden)


def _reset(place: Place, severity: Severity) -> Finding:
    own, outer = place.effective("proxy_set_header"), place.hidden("proxy_set_header")
    present = {line.args[0].lower() for line in own if line.args}
    missing = [line for line in outer if line.args and line.args[0].lower() not in present]
    lines = [f"proxy_set_header {' '.join(map(quote, line.args))};" for line in missing]
    return Finding(
        "F04",
        severity,
        own[0].position,
        octets_of(own[0]),
        "this proxy_set_header drops those of the blocks around it",
        "the backend sees no Upgrade, `Connection: close`, and the Host of proxy_pass: "
        "it answers 400, 404 or 426, or a page",
        tuple(f"{show(line.position)}: {text_of(line)} does not hold here" for line in missing),
        "repeat here what is to hold:\n" + "\n".join(lines),
        insert_lines(own[0], lines),
    )


def _lost(place: Place, site: Site) -> Finding:
    at = place.passes
    assert at is not None
    version = site.http_version(place)
    named = place.evidence is Evidence.NAMED
    present = {line.args[0].lower() for line in place.effective("proxy_set_header") if line.args}
    connection, edits = connection_value(place, site)
    lines = [
        line.format(connection=connection, host=host_variable(place))
        for line in _LINES
        if not _is_there(line, present, place)
    ]
    return Finding(
        "F01",
        _ERROR if named else _WARNING,
        at.position,
        octets_of(at),
        "Upgrade and Connection are not passed on",
        f"the backend sees `GET {_path_of(place)} HTTP/{version}`, `Connection: close` and "
        "no Upgrade: it answers 400, 404 or 426, or a page, and no WebSocket opens",
        (
            "both are hop-by-hop fields (RFC 9110 §7.6.1), which nginx sends on only if told so",
            *(() if named else ("no location of this file passes a WebSocket on",)),
        ),
        "\n".join((*(f"{MAP}  # in http" for _ in edits), *lines)),
        (*edits, *insert_lines(at, lines)),
    )


def _path_of(place: Place) -> str:
    """Return a path that a place answers, as far as it is written there."""
    path = place.pattern
    is_path = path.startswith("/") and not place.modifier.startswith("~")
    return path if is_path and not is_masked(path) else "/"


def _is_there(line: str, present: set[str], place: Place) -> bool:
    words = line.rstrip(";").split(" ")
    if words[0] == "proxy_set_header":
        return words[1].lower() in present
    return place.one(words[0]) is not None


def check_half(site: Site) -> Iterator[Finding]:
    """F02: only one of the two fields is passed on."""
    for place in site.proxied:
        if not place.shows("proxy_set_header"):
            continue
        upgrade, connection = place.value("upgrade"), place.value("connection")
        if upgrade and connection is None:
            at = place.fields("upgrade")[0]
            value, edits = connection_value(place, site)
            line = f"proxy_set_header Connection {value};"
            edits += insert_lines(at, [line])
            yield _half(at, "Connection", "`Connection: close`", line, edits)
        elif upgrade and connection is not None and _names_no_upgrade(connection):
            at = place.fields("connection")[0]
            seen = f"`Connection: {connection}`" if connection else "no Connection"
            value, edits = connection_value(place, site)
            line = f"proxy_set_header Connection {value};"
            edits += replace_argument(at, 1, value)
            yield _half(at, "Connection", seen, line, edits)
        elif upgrade is None and (connection or "").lower() == "upgrade":
            at = place.fields("connection")[0]
            line = "proxy_set_header Upgrade $http_upgrade;"
            yield _half(at, "Upgrade", "no Upgrade", line, insert_lines(at, [line]))


def _names_no_upgrade(connection: str) -> bool:
    is_known = "$" not in connection and not is_masked(connection)
    return is_known and "upgrade" not in connection.lower()


def _half(at: Directive, missing: str, seen: str, line: str, edits: tuple[Edit, ...]) -> Finding:
    beside = "Upgrade" if missing == "Connection" else "Connection"
    return Finding(
        "F02",
        _ERROR,
        at.position,
        octets_of(at),
        f"{missing} is not passed on beside {beside}",
        f"the backend sees {seen}: it answers 400 or 426",
        (),
        line,
        edits,
    )


def check_http_version(site: Site) -> Iterator[Finding]:
    """F03: the handshake goes upstream as HTTP/1.0, or as HTTP/2."""
    for place in site.websockets:
        version = site.http_version(place)
        if version == "1.1" or is_masked(version) or not place.shows("proxy_http_version"):
            continue
        at = place.one("proxy_http_version") or place.passes
        assert at is not None
        is_set = at.name == "proxy_http_version"
        effect = (
            "strict backends (websockets, aiohttp, h11 under uvicorn, Tomcat, Go) answer 400, 426 "
            "or 505, lenient ones 101: it works with one backend and not with the other"
        )
        severity = _ERROR
        if version == "1.0 or 1.1":
            message = "before nginx 1.29.7 the handshake goes upstream as HTTP/1.0"
            severity = _WARNING
        else:
            message = f"the handshake goes upstream as HTTP/{version}"
        if version == "2":
            effect = "HTTP/2 has no Upgrade (RFC 9113 §8.6): the backend sees no handshake"
        why = () if is_set else ("proxy_http_version is not set, and 1.0 was its default",)
        line = "proxy_http_version 1.1;"
        edits = replace_argument(at, 0, "1.1") if is_set else insert_lines(at, [line])
        yield Finding(
            "F03", severity, at.position, octets_of(at), message, effect, why, line, edits
        )


def check_smuggling(site: Site) -> Iterator[Finding]:
    """F12: any protocol may be asked for, past what guards other paths of the same backend."""
    for place in site.websockets:
        if place.value("upgrade") != "$http_upgrade" or place.server is None:
            continue
        guard = next(iter(_guards(site, place)), None)
        if guard is None:
            continue
        at = place.fields("upgrade")[0]
        yield Finding(
            "F12",
            _SECURITY,
            at.position,
            octets_of(at),
            "every protocol that a client names is passed on",
            "with a backend that takes `Upgrade: h2c` the requests inside the tunnel go past the "
            "rules of other locations",
            (f"{show(guard.position)}: {text_of(guard)} guards the same backend",),
            "map $http_upgrade $websocket { default ''; ~*^websocket$ websocket; }  # in http\n"
            "proxy_set_header Upgrade $websocket;",
        )


def _guards(site: Site, place: Place) -> Iterator[Directive]:
    for other in site.beside(place):
        if other is place or other.passes is None:
            continue
        if place.passes is None or _same_backend(place.passes, other.passes):
            for name in ("deny", "auth_basic", "auth_request", "internal"):
                yield from other.block.own(name)


def _same_backend(one: Directive, two: Directive) -> bool:
    return [_backend(line) for line in (one, two)] == [_backend(one)] * 2


def _backend(line: Directive) -> str:
    return "/".join(line.args[0].split("/")[:3]) if line.args else ""


def check_websocket_fields(site: Site) -> Iterator[Finding]:
    """F13: the fields of the handshake themselves are changed or kept back."""
    for place in site.proxied:
        if place.evidence is Evidence.NONE:
            continue
        for line in place.effective("proxy_set_header"):
            name = line.args[0].lower() if len(line.args) == 2 else ""
            own = f"$http_{name.replace('-', '_')}"
            if name in (*_HANDSHAKE_FIELDS, *_NEGOTIATED_FIELDS) and line.args[1] != own:
                yield _changed_field(line, is_vital=name in _HANDSHAKE_FIELDS)
        for line in place.effective("proxy_hide_header"):
            if line.args and line.args[0].lower().startswith("sec-websocket-"):
                is_vital = line.args[0].lower() == "sec-websocket-accept"
                yield _changed_field(line, is_vital=is_vital)
        off = place.one("proxy_pass_request_headers")
        if off is not None and off.args[:1] == ("off",):
            yield Finding(
                "F13",
                _ERROR,
                off.position,
                octets_of(off),
                "no field of the handshake reaches the backend",
                "without Sec-WebSocket-Key it answers 400",
                (),
                "proxy_pass_request_headers on;",
                replace_argument(off, 0, "on"),
            )


def _changed_field(line: Directive, *, is_vital: bool) -> Finding:
    if is_vital:
        effect = "the handshake fails: the backend answers 400, or the client refuses its answer"
    else:
        effect = "subprotocols or compression are lost; a client that asked for one may give up"
    return Finding(
        "F13",
        _ERROR if is_vital else _WARNING,
        line.position,
        octets_of(line),
        f"{line.args[0]} does not pass unchanged",
        effect,
        (),
        "delete this line: nginx passes the field on by itself",
    )


RULES = (
    check_lost_upgrade,
    check_half,
    check_http_version,
    check_smuggling,
    check_websocket_fields,
)
