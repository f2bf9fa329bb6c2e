"""Faults of identity and access: who asks, from where, and what the backend is told. F50 to F63."""

from __future__ import annotations

from collections.abc import Iterator

from upwire.conf.audit.edits import insert_lines, replace_argument
from upwire.conf.audit.finding import Finding, Severity
from upwire.conf.audit.sent_fields import host_variable, odd_port
from upwire.conf.audit.site import Evidence, Place, Site, authority, octets_of, show
from upwire.conf.cidr import parse_cidr

_SECURITY, _WARNING, _NOTE = Severity.SECURITY, Severity.WARNING, Severity.NOTE
_HOST_NAMES = ("$host", "$server_name", "$hostname")
_SCHEME_FIELDS = (
    *("x-forwarded-proto", "forwarded", "x-forwarded-ssl", "x-forwarded-scheme", "x-scheme"),
    *("x-url-scheme", "x-forwarded-protocol", "front-end-https", "x-real-scheme"),
)
_FEW_CONNECTIONS = 20


def check_host(site: Site) -> Iterator[Finding]:
    """F50, F51: the Host that the backend compares Origin with."""
    for place in site.websockets:
        at = place.passes
        assert at is not None
        lines = place.fields("host")
        if not lines and not (place.shows("proxy_set_header") and _is_own_backend(site, place)):
            continue
        if not lines:
            line = f"proxy_set_header Host {host_variable(place)};"
            own = place.effective("proxy_set_header")[-1]
            yield Finding(
                "F50",
                _NOTE if place.fields("x-forwarded-host") else _WARNING,
                at.position,
                octets_of(at),
                "the backend gets the Host of proxy_pass, not the client's",
                "backends that compare Origin with Host refuse the handshake: 403 from Tornado, "
                "Jupyter and Rails, 400 from Django",
                (),
                line,
                insert_lines(own, [line]),
            )
        elif lines[0].args[1] in _HOST_NAMES and (port := odd_port(place)) is not None:
            yield Finding(
                "F51",
                _NOTE,
                lines[0].position,
                octets_of(lines[0]),
                f"{lines[0].args[1]} is without the port",
                "where clients use it Origin has it too, and backends that compare the two answer "
                "403",
                (f"{show(port.position)}: the server listens on {port.args[0]}",),
                "proxy_set_header Host $http_host;",
                replace_argument(lines[0], 1, "$http_host"),
            )


def _is_own_backend(site: Site, place: Place) -> bool:
    """Whether the backend is no other site, which is to be asked by its own name."""
    passed = place.passes
    url = passed.args[0] if passed is not None and passed.args else ""
    is_foreign = url.startswith("https://") and "." in authority(url).rstrip("0123456789.:")
    return not is_foreign or site.upstream_of(place) is not None


def check_origin(site: Site) -> Iterator[Finding]:
    """F52: Origin is overwritten, so that the backend cannot check it."""
    for place in site.proxied:
        if place.evidence is Evidence.NONE:
            continue
        for at in place.fields("origin"):
            if at.args[1] == "$http_origin" or site.map_of(at.args[1]) is not None:
                continue
            yield Finding(
                "F52",
                _SECURITY,
                at.position,
                octets_of(at),
                "the backend does not see where a page comes from",
                "any site may open a WebSocket with its visitor's cookies "
                "(cross-site WebSocket hijacking)",
                (),
                "delete this line; where an origin has to be let in, a map of $http_origin",
            )


def check_trust(site: Site) -> Iterator[Finding]:
    """F53: everybody may say who he is."""
    seen: set[int] = set()
    for place in site.websockets:
        for at in place.effective("set_real_ip_from"):
            if id(at) in seen or not at.args or not _is_everybody(at.args[0]):
                continue
            seen.add(id(at))
            yield Finding(
                "F53",
                _SECURITY,
                at.position,
                octets_of(at),
                "everybody is trusted to say what his address is",
                "limits, bans and logs by address can be walked around",
                (),
                "set_real_ip_from the addresses of your own proxies",
            )


def _is_everybody(text: str) -> bool:
    try:
        network = parse_cidr(text)[0].network
    except ValueError:
        return False
    return network is not None and network.prefixlen == 0


def check_forwarded(site: Site) -> Iterator[Finding]:
    """F53: the backend does not learn of TLS."""
    for place in site.websockets:
        server = place.server
        listens = server.own("listen") if server is not None else []
        is_tls = any("ssl" in line.args for line in listens)
        if not is_tls or not place.shows("proxy_set_header"):
            continue
        if any(place.fields(name) for name in _SCHEME_FIELDS):
            continue
        at = place.effective("proxy_set_header")[-1]
        line = "proxy_set_header X-Forwarded-Proto $scheme;"
        yield Finding(
            "F53",
            _NOTE,
            at.position,
            octets_of(at),
            "the backend is not told that the client speaks TLS",
            "it builds ws:// URLs, or refuses an https:// Origin",
            (),
            line,
            insert_lines(at, [line]),
        )


def check_basic(site: Site) -> Iterator[Finding]:
    """F55: a password in a dialogue that WebSocket clients do not have."""
    for place in site.websockets:
        at = place.one("auth_basic")
        if at is None or at.args[:1] == ("off",) or place.one("auth_basic_user_file") is None:
            continue
        satisfy = place.one("satisfy")
        if satisfy is not None and satisfy.args == ("any",):
            continue
        yield Finding(
            "F55",
            _WARNING,
            at.position,
            octets_of(at),
            "the handshake asks for a password",
            "Safari, and clients that were not told of it, send none: 401",
            (),
            "a cookie or a ticket, or `satisfy any` with auth_request",
        )


def check_subrequest(site: Site) -> Iterator[Finding]:
    """F56: the subrequest of auth_request takes Upgrade along."""
    asked = {
        line.args[0]: line
        for place in site.places
        for line in place.effective("auth_request")
        if line.args
    }
    for place in site.proxied:
        at = asked.get(place.pattern)
        if at is None or place.evidence is not Evidence.SET:
            continue
        upgrade = place.fields("upgrade")[0]
        lines = [
            'proxy_set_header Upgrade "";',
            'proxy_set_header Connection "";',
            'proxy_set_header Content-Length "";',
            "proxy_pass_request_body off;",
        ]
        yield Finding(
            "F56",
            _WARNING,
            upgrade.position,
            octets_of(upgrade),
            "the question for auth_request goes out as a handshake",
            "a backend that takes upgrades answers 101, and the client gets an empty reply; or it "
            "answers 400, which becomes 500",
            (f"{show(at.position)}: `auth_request {place.pattern}`",),
            "\n".join(lines),
        )


def check_limits(site: Site) -> Iterator[Finding]:
    """F58, F59: limits that were made for requests."""
    for place in site.websockets:
        for at in place.effective("limit_conn"):
            count = at.args[1] if len(at.args) == 2 else ""
            if not count.isdigit() or int(count) >= _FEW_CONNECTIONS:
                continue
            yield Finding(
                "F58",
                _WARNING,
                at.position,
                octets_of(at),
                f"a tunnel counts as long as it is open, and {count} are all",
                f"the tab or the neighbour behind the same address that comes after {count} "
                "others gets 503",
                (),
                "a zone of its own for this location, with a limit of tabs; limit_conn_status 429",
            )
        for at in place.effective("limit_req"):
            if any(word.startswith("burst=") for word in at.args):
                continue
            yield Finding(
                "F59",
                _WARNING,
                at.position,
                octets_of(at),
                "handshakes are limited without a burst",
                "when all clients reconnect after a restart, most get 503, and try again together",
                ("messages inside the tunnel are never counted",),
                f"limit_req {' '.join(at.args)} burst=20 nodelay;",
            )


def check_hidden_cause(site: Site) -> Iterator[Finding]:
    """F63: what the backend says of a failed handshake is replaced."""
    for place in site.websockets:
        at, page = place.one("proxy_intercept_errors"), place.one("error_page")
        if at is None or page is None or not place.flag("proxy_intercept_errors"):
            continue
        if not {"400", "403", "426"} & set(page.args):
            continue
        yield Finding(
            "F63",
            _WARNING,
            at.position,
            octets_of(at),
            "a refused handshake gets a page instead of its reason",
            "the client sees 200 or another status, and Sec-WebSocket-Version: 13 is lost",
            (f"{show(page.position)}: `error_page {' '.join(page.args)}`",),
            "proxy_intercept_errors off;",
            insert_lines(place.passes, ["proxy_intercept_errors off;"])
            if place.passes is not None and at not in place.block.lines
            else replace_argument(at, 0, "off"),
        )


RULES = (
    check_host,
    check_origin,
    check_trust,
    check_forwarded,
    check_basic,
    check_subrequest,
    check_limits,
    check_hidden_cause,
)
