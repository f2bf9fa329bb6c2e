"""Faults of what Upgrade, Connection and Host are sent with: F05 to F10."""

from __future__ import annotations

from collections.abc import Iterator

from upwire.conf.audit.edits import insert_lines, replace_argument, text_of
from upwire.conf.audit.finding import Edit, Finding, Severity
from upwire.conf.audit.site import Place, Site, octets_of, show
from upwire.conf.audit.words import is_masked
from upwire.conf.syntax import Directive

_WARNING, _SECURITY, _NOTE = Severity.WARNING, Severity.SECURITY, Severity.NOTE
_HTTP_1_1_DEFAULT_SINCE = (1, 29, 7)
_DEFAULT_PORTS = ("80", "443")
_VARIABLE = "$connection_upgrade"
MAP = f"map $http_upgrade {_VARIABLE} {{ default upgrade; '' ''; }}"
"""What gives Connection its value for handshakes and for all other requests."""


def check_connection_value(site: Site) -> Iterator[Finding]:
    """F05, F09: what Connection says to requests that are no handshakes, or to the next hop."""
    for place in site.websockets:
        for at in place.fields("connection"):
            value = at.args[1].lower()
            if value == "upgrade" and not is_for_websockets(place):
                yield Finding(
                    "F05",
                    _NOTE,
                    at.position,
                    octets_of(at),
                    "every request here goes upstream with `Connection: upgrade`",
                    "most backends ignore it without an Upgrade; Jetty, IIS and old Node answer "
                    "400 or close, WSGI servers log a warning",
                    (),
                    "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }  # in http\n"
                    "proxy_set_header Connection $connection_upgrade;",
                )
            if value == "$http_connection":
                mended, edits = connection_value(place, site)
                yield Finding(
                    "F09",
                    _SECURITY,
                    at.position,
                    octets_of(at),
                    "the client's own Connection goes upstream",
                    "Firefox's `keep-alive, Upgrade` fails with backends that compare the whole "
                    "value; `Connection: close, X-Real-IP` lets a client drop what you add",
                    (),
                    f"proxy_set_header Connection {mended};",
                    edits + replace_argument(at, 1, mended),
                )


def is_for_websockets(place: Place) -> bool:
    """Whether a location's path leaves it to WebSockets, as far as one can see."""
    return place.modifier == "=" or not (place.is_root or place.pattern in ("/api", "/api/"))


def check_upgrade_value(site: Site) -> Iterator[Finding]:
    """F06: Upgrade is a literal."""
    for place in site.websockets:
        for at in place.fields("upgrade"):
            if at.args[1] and "$" not in at.args[1] and not is_masked(at.args[1]):
                yield Finding(
                    "F06",
                    _NOTE if is_for_websockets(place) else _WARNING,
                    at.position,
                    octets_of(at),
                    f"every request here goes upstream with `Upgrade: {at.args[1]}`",
                    "a plain GET gets the backend's 400, or a 101 that its client never asked for, "
                    "and hangs",
                    (),
                    "proxy_set_header Upgrade $http_upgrade;",
                    replace_argument(at, 1, "$http_upgrade"),
                )


def check_closing_map(site: Site) -> Iterator[Finding]:
    """F07: a map says `close` where the upstream's connections are to be kept."""
    for place in site.websockets:
        connection = place.value("connection") or ""
        table = site.map_of(connection)
        upstream = site.upstream_of(place)
        if table is None or upstream is None:
            continue
        kept = next((line for line in upstream.block or () if line.name == "keepalive"), None)
        is_kept_unasked = site.version is not None and site.version >= _HTTP_1_1_DEFAULT_SINCE
        line = entry_of(table, "")
        if line is None or line.args[:1] != ("close",) or (kept is None and not is_kept_unasked):
            continue
        reason = show(kept.position) if kept is not None else "nginx 1.29.7 and later"
        yield Finding(
            "F07",
            _NOTE if kept is None else _WARNING,
            line.position,
            octets_of(line),
            "requests without Upgrade close the connection that upstream is to keep",
            "each costs a new connection to the backend: latency, and ports in TIME_WAIT",
            (f"{reason}: idle connections to {upstream.args[0]} are kept",),
            "'' '';",
            replace_argument(line, 0, "''"),
        )


def check_map_without_empty(site: Site) -> Iterator[Finding]:
    """F08: a map of $http_upgrade that says `upgrade` to requests without it."""
    used = {place.value("connection") for place in site.websockets}
    for table in site.http:
        if table.name != "map" or table.args[:1] != ("$http_upgrade",) or len(table.args) != 2:
            continue
        default = entry_of(table, "default")
        says_upgrade = default is not None and default.args[:1] == ("upgrade",)
        if table.args[1] in used and says_upgrade and entry_of(table, "") is None:
            assert default is not None
            yield Finding(
                "F08",
                _NOTE,
                table.position,
                octets_of(table),
                "the map has no line for requests without Upgrade",
                "they go upstream with `Connection: upgrade`; see F05",
                (),
                "'' '';",
                insert_lines(default, ["'' '';"]),
            )


def check_repeated_fields(site: Site) -> Iterator[Finding]:
    """F10: a field goes upstream twice."""
    for place in site.websockets:
        for name in ("connection", "upgrade", "host"):
            lines = [line for line in place.fields(name) if line.args[1]]
            if len(lines) < 2:
                continue
            at = lines[-1]
            values = " and ".join(f"`{line.args[0]}: {line.args[1]}`" for line in lines)
            yield Finding(
                "F10",
                _WARNING,
                at.position,
                octets_of(at),
                f"{at.args[0]} goes upstream {len(lines)} times",
                f"the backend sees {values}: strict ones answer 400",
                tuple(f"{show(line.position)}: {text_of(line)}" for line in lines[:-1]),
                "keep one of them",
            )


def connection_value(place: Place, site: Site) -> tuple[str, tuple[Edit, ...]]:
    """Return what Connection is to be set to, and the map of it where the file has none yet.

    The variable of a map that is there; "upgrade" where all requests are WebSockets', or the file
    shows no http block for a map.
    """
    table = next((line for line in site.http if _is_map_of_upgrade(line)), None)
    if table is not None:
        return table.args[1], ()
    files = {line.file for line in site.top if line.name == "http"}
    first = next((line for line in site.http if line.file in files), None)
    if is_for_websockets(place) or first is None or site.map_of(_VARIABLE) is not None:
        return '"upgrade"', ()
    return _VARIABLE, insert_lines(first, [MAP])


def _is_map_of_upgrade(line: Directive) -> bool:
    if line.name != "map" or line.args[:1] != ("$http_upgrade",) or len(line.args) != 2:
        return False
    default = entry_of(line, "default")
    says_upgrade = default is not None and default.args[:1] == ("upgrade",)
    return says_upgrade and entry_of(line, "") is not None


def host_variable(place: Place) -> str:
    """Return the variable that has the client's Host as browsers write it into Origin.

    $host, which is checked, on ports that they leave out; $http_host elsewhere, with its port.
    """
    ports = _listening_ports(place)
    return "$host" if any(port in _DEFAULT_PORTS for port in ports) else "$http_host"


def odd_port(place: Place) -> Directive | None:
    """Return a `listen` on a port that browsers write out, where the server has no other."""
    ports = _listening_ports(place)
    if not ports or any(not port.isdigit() or port in _DEFAULT_PORTS for port in ports):
        return None
    return next(iter(ports.values()))


def _listening_ports(place: Place) -> dict[str, Directive]:
    """Return the ports of a place's server, as far as they are shown, with what names each."""
    server = place.server
    lines = server.own("listen") if server is not None else ()
    return {_port(line.args[0]): line for line in lines if line.args}


def _port(address: str) -> str:
    if ":" in address and not address.endswith("]"):
        return address.rpartition(":")[2]
    return address if address.isdigit() else _DEFAULT_PORTS[0]


def entry_of(table: Directive, key: str) -> Directive | None:
    """Return the line of a map for a key."""
    return next((line for line in table.block or () if line.name == key), None)


RULES = (
    check_connection_value,
    check_upgrade_value,
    check_closing_map,
    check_map_without_empty,
    check_repeated_fields,
)
