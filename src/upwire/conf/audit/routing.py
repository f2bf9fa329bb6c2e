"""Faults on the way to the backend: paths and handlers. F30 to F39, F42 to F44."""

from __future__ import annotations

from collections.abc import Iterator

from upwire.conf.audit.edits import replace_argument
from upwire.conf.audit.finding import Finding, Severity
from upwire.conf.audit.peer_names import is_literal
from upwire.conf.audit.sent_fields import is_for_websockets
from upwire.conf.audit.site import Evidence, Kind, Level, Place, Site, authority, octets_of, show
from upwire.conf.audit.words import names_websockets
from upwire.conf.regex import Regex, RegexFailed
from upwire.conf.syntax import Directive
from upwire.errors import ConfigError

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_OTHER_HANDLERS = ("fastcgi_pass", "grpc_pass", "memcached_pass")
_GATEWAY_HANDLERS = ("uwsgi_pass", "scgi_pass")  # nginx takes a 101 from these
_JUMPS = ("try_files", "rewrite", "return", "error_page", "if", "location", "include")
_PREFIX_FIELDS = (
    *(
        "x-forwarded-prefix",
        "x-script-name",
        "x-forwarded-path",
        "x-ingress-path",
        "x-webauth-path",
    ),
    *("x-original-uri", "x-rstudio-root-path", "x-rstudio-request"),
)


def check_slashes(site: Site) -> Iterator[Finding]:
    """F30: what proxy_pass puts in place of the location's path does not fit it."""
    for place in _meant(site):
        at, path = place.passes, _path(place)
        if at is None or path is None or place.modifier in ("=", "~", "~*") or "$" in at.args[0]:
            continue
        pattern = place.pattern
        if not pattern or pattern.endswith("/") == path.endswith("/"):
            continue
        upstream = path + "x" if pattern.endswith("/") else f"{path}/x"
        yield Finding(
            "F30",
            _NOTE if names_websockets(pattern) else _WARNING,
            at.position,
            octets_of(at),
            "the slashes of location and proxy_pass do not match",
            f"{pattern.removesuffix('/')}/x goes upstream as {upstream}; most backends answer 404",
            (f"nginx puts {path} in place of {pattern}, and adds what is left",),
            "end both with a slash, or neither",
        )


def check_slash_redirect(site: Site) -> Iterator[Finding]:
    """F31: without its last slash the path is redirected, which WebSocket clients do not follow."""
    for place in _meant(site):
        block, pattern = place.block.directive, place.pattern
        if place.modifier not in ("", "^~") or not pattern.endswith("/") or len(pattern) < 2:
            continue
        if block is None or "socket.io" in pattern or _has_exact(site, place, pattern[:-1]):
            continue
        if not is_for_websockets(place) or site.is_spare(place):
            continue
        yield Finding(
            "F31",
            _NOTE,
            block.position,
            len(block.name),
            f"a handshake to {pattern[:-1]} is redirected",
            f"nginx answers 301 to {pattern}, which no browser follows: 1006",
            (),
            f"location = {pattern[:-1]} with the same proxy_pass, or location {pattern[:-1]}",
        )


def _has_exact(site: Site, place: Place, path: str) -> bool:
    return any(
        other.pattern == path and other.modifier in ("=", "", "^~") for other in site.beside(place)
    )


def check_regex_first(site: Site) -> Iterator[Finding]:
    """F33: a regular expression takes what the prefix location is for."""
    for place in _meant(site):
        if place.modifier != "" or place.is_root or len(place.levels) < 2:
            continue
        for other in site.beside(place):
            if other.levels[1:] != place.levels[1:] or other.modifier not in ("~", "~*"):
                continue
            taken = next((uri for uri in _samples(place.pattern) if _matches(other, uri)), None)
            at, block = other.block.directive, place.block.directive
            if taken is None or at is None or block is None or other.passes is not None:
                continue
            yield Finding(
                "F33",
                _WARNING,
                block.position,
                len(block.name),
                f"{taken} does not get here",
                "the handshake is answered by another location, which passes nothing on",
                (f"{show(at.position)}: `{other.block.label}` matches, and goes before a prefix",),
                f"location ^~ {place.pattern}",
            )
            break


def _samples(pattern: str) -> tuple[str, ...]:
    return pattern, f"{pattern.removesuffix('/')}/1"


def _matches(place: Place, uri: str) -> bool:
    try:
        return Regex(place.pattern, is_caseless=place.modifier == "~*").search(uri) is not None
    except (ConfigError, RegexFailed):
        return False


def check_variables(site: Site) -> Iterator[Finding]:
    """F36: variables in proxy_pass need a resolver, and drop the query."""
    for place in _meant(site):
        at = place.passes
        if at is None or "$" not in at.args[0]:
            continue
        host, path = authority(at.args[0]), _path(place)
        is_lost = "$" in host and place.lacks("resolver") and site.kind is Kind.WHOLE
        if is_lost and not _is_known(site, place, host):
            yield Finding(
                "F36",
                _WARNING,
                at.position,
                octets_of(at),
                f"{host} is resolved for each request, and there is no resolver",
                "nginx answers 502 and logs `no resolver defined to resolve ...`",
                (),
                "resolver 127.0.0.53;  # or the name server of your network, 127.0.0.11 in Docker",
            )
        if path and not any(name in path for name in ("$request_uri", "$args", "$is_args", "$uri")):
            yield Finding(
                "F36",
                _WARNING if "$" in path else _NOTE,
                at.position,
                octets_of(at),
                "the path is sent as it stands here, and the query is lost",
                "a token or session in the query does not reach the backend",
                ("with variables nginx replaces the whole request-target",),
                f"proxy_pass {at.args[0]}$is_args$args;",
                replace_argument(at, 0, f"{at.args[0]}$is_args$args"),
            )


def _is_known(site: Site, place: Place, host: str) -> bool:
    """Whether what a variable gives needs no resolver, as far as `set` and `map` show."""
    name = host.partition(":")[0]
    values = [
        line.args[1]
        for level in place.levels
        for line in level.own("set")
        if len(line.args) == 2 and line.args[0] == name
    ]
    table = site.map_of(name)
    values += [line.args[0] for line in (table.block or () if table else ()) if line.args]
    hosts = [authority(value) or value.partition(":")[0] for value in values]
    return bool(hosts) and all(is_literal(one) or site.upstream(one) for one in hosts)


def check_uri_part(site: Site) -> Iterator[Finding]:
    """F37: a path behind proxy_pass where nginx takes none."""
    for place in site.proxied:
        at, path = place.passes, _path(place)
        if at is None or path is None or "$" in at.args[0]:
            continue
        block = place.block.directive
        is_if = block is not None and block.name == "if"
        if place.modifier in ("~", "~*", "@") or is_if:
            yield Finding(
                "F37",
                _ERROR,
                at.position,
                octets_of(at),
                f'"{path}" is no place for a path',
                "nginx does not start: proxy_pass cannot have a URI part in a location given by "
                "regular expression, in a named one, or in `if`",
                (),
                f"rewrite ^ {path} break; and proxy_pass {at.args[0].removesuffix(path)};",
            )


def check_scheme(site: Site) -> Iterator[Finding]:
    """F38: ws:// or wss:// behind proxy_pass."""
    for place in site.places:
        at = place.passes
        if at is None or not at.args or not at.args[0].startswith(("ws://", "wss://")):
            continue
        scheme, _, rest = at.args[0].partition("://")
        url = f"{'http' if scheme == 'ws' else 'https'}://{rest}"
        yield Finding(
            "F38",
            _ERROR,
            at.position,
            octets_of(at),
            f"nginx knows no {scheme}://",
            "it does not start: invalid URL prefix. A WebSocket begins as an HTTP request",
            (),
            f"proxy_pass {url};",
            replace_argument(at, 0, url),
        )


def check_if(site: Site) -> Iterator[Finding]:
    """F39: `if` compares Upgrade, and its case."""
    for place in site.places:
        at = place.block.directive
        if at is None or at.name != "if":
            continue
        variable, operator, word = _condition(at)
        if variable == "$http_upgrade" and operator in ("=", "!="):
            if word.lower() != "websocket":
                continue
            case = "~*" if operator == "=" else "!~*"
            yield Finding(
                "F39",
                _WARNING,
                at.position,
                octets_of(at),
                "the case of Upgrade is compared",
                "`Upgrade: WebSocket`, which some clients send, is not found (RFC 6455 §4.2.1)",
                (),
                f"if ($http_upgrade {case} ^websocket$)",
            )


def _condition(at: Directive) -> tuple[str, str, str]:
    """Return three words of `if`; behind a quoted one its ")" is a word by itself."""
    words = [*(" ".join(at.args).removeprefix("(").removesuffix(")").split()), "", "", ""]
    return words[0], words[1], words[2]


def check_subdirectory(site: Site) -> Iterator[Finding]:
    """F43: an application that does not know below which path it lives."""
    for place in site.websockets:
        at, path = place.passes, _path(place)
        if at is None or path != "/" or place.is_root or names_websockets(place.pattern):
            continue
        is_told = any(place.fields(name) for name in _PREFIX_FIELDS) or place.effective(
            "sub_filter"
        )
        if place.modifier not in ("", "^~") or is_told or not place.shows("proxy_set_header"):
            continue
        if place.pattern in ("/api", "/api/"):
            continue
        yield Finding(
            "F43",
            _NOTE,
            at.position,
            octets_of(at),
            f"the backend does not see {place.pattern.removesuffix('/')} in front of its paths",
            "where its pages build the WebSocket's address from what it sees, the browser asks for "
            "a path outside of here: 404",
            (),
            "the application's own setting for its base path, or proxy_set_header "
            f"X-Forwarded-Prefix {place.pattern.removesuffix('/')};",
        )


def check_other_handler(site: Site) -> Iterator[Finding]:
    """F42: a WebSocket's path goes to a protocol that carries none."""
    for place in site.places:
        at = place.handler
        if at is None or not names_websockets(place.pattern):
            continue
        if at.name in _OTHER_HANDLERS:
            yield Finding(
                "F42",
                _ERROR,
                at.position,
                octets_of(at),
                f"{at.name} carries no WebSocket",
                "the application gets a plain request: 400, 404 or 500",
                (),
                "proxy_pass to a server that speaks HTTP, such as an ASGI server",
            )
        elif at.name in _GATEWAY_HANDLERS:
            yield Finding(
                "F42",
                _NOTE,
                at.position,
                octets_of(at),
                f"{at.name} carries a WebSocket only where the application itself answers 101",
                "a WSGI application without a WebSocket of its own answers 400, 404 or 500",
                (),
                "proxy_pass to a server that speaks HTTP, such as an ASGI server",
            )


def check_no_handler(site: Site) -> Iterator[Finding]:
    """F44: a location is prepared for a backend, and none is named."""
    for place in site.places:
        block = place.block
        if block.directive is None or block.directive.name != "location":
            continue
        own = next((line for line in block.own("proxy_set_header") if _is_upgrade(line)), None)
        if own is None or place.handler is not None or _leads_on(block):
            continue
        yield Finding(
            "F44",
            _ERROR,
            own.position,
            octets_of(own),
            "there is no proxy_pass here",
            "nginx looks for a file: 404",
            (),
            "proxy_pass http://HOST:PORT;",
        )


def _is_upgrade(line: Directive) -> bool:
    return line.args[:1] != () and line.args[0].lower() == "upgrade"


def _leads_on(block: Level) -> bool:
    return any(line.name in _JUMPS or line.name.endswith("_block") for line in block.lines)


def _meant(site: Site) -> list[Place]:
    """Return the places that WebSockets go through, or are meant to."""
    return [place for place in site.proxied if place.evidence is not Evidence.NONE]


def _path(place: Place) -> str | None:
    """Return the path behind the host of proxy_pass; None where there is none."""
    rest = place.passes.args[0].partition("://")[2] if place.passes is not None else ""
    if rest.startswith("unix:"):
        return None
    _, slash, path = rest.partition("/")
    return f"/{path}" if slash else None


RULES = (
    check_slashes,
    check_slash_redirect,
    check_regex_first,
    check_variables,
    check_uri_part,
    check_scheme,
    check_if,
    check_subdirectory,
    check_other_handler,
    check_no_handler,
)
