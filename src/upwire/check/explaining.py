"""`--explain`: one request on its way through a configuration, and why it goes there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from upwire.check.built import addresses_of, label_of, name_of
from upwire.check.report import show_text
from upwire.check.walking import Answer, Question, Walk
from upwire.conf.model import (
    Config,
    Location,
    LocationSettings,
    MatchKind,
    ProxyPass,
    Server,
)
from upwire.conf.model.types.try_files import TryFiles
from upwire.conf.regex import RegexFailed
from upwire.conf.syntax import Position
from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.proxy.headers import upstream_request, upstream_target
from upwire.proxy.route import WILDCARDS, ListenAddress, Route, Router
from upwire.proxy.target import parse_host, parse_target
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead

_PORTS = {"ws": 80, "http": 80, "wss": 443, "https": 443}
_HANDSHAKE = (
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),  # RFC 6455 §1.3
)
_PREFIXES = (MatchKind.PREFIX, MatchKind.PREFIX_NO_REGEX)
_ROUNDS_MAX = 10  # nginx gives up then, too
_ERROR_STATUS = 300  # error_page is asked from here on


def explain(config: Config, method: str, url: str) -> Iterator[str]:
    """Yield the steps of a request, a line each, and the head that the upstream gets.

    Raises LocalProtocolError for what is no URL of a WebSocket or a page.
    """
    question = _read(method, url)
    yield f"{method} {question.target.request_uri} to {question.host} at port {question.port}"
    address = _address(config, question.port)
    if address is None:
        yield f"server: none listens at port {question.port}"
        yield from (f"  {name_of(one)} listens at {addresses_of(one)}" for one in config.servers)
        return
    router = Router(config)
    table = router.servers_at(address, address)
    server, captures = table.find(question.host)
    yield f"server: {name_of(server)} ({_show(server.position)})"
    is_named = table.find_named(question.host) is not None
    why = "its name fits" if is_named else "no name fits, and it is the default there"
    yield f"  it answers: {why}"
    for other in config.servers:
        if other is not server:
            reason = _why_not_server(other, address, is_named=is_named)
            yield f"  not {name_of(other)} ({_show(other.position)}): {reason}"
    try:
        walk = Walk(config, server, question)
        walk.capture(captures)
        yield from _explain_way(server, router, walk, question)
    except RegexFailed as error:
        yield f"answer: 500: {error}"


def _read(method: str, url: str) -> Question:
    try:
        parts = urlsplit(url)
        scheme, port = parts.scheme.lower(), parts.port
    except ValueError as error:
        raise LocalProtocolError(f"{url}: {error}") from None
    if scheme not in _PORTS or not parts.hostname:
        raise LocalProtocolError(f"{url}: a URL begins with ws://, wss://, http:// or https://")
    written = parts.path or "/"
    if parts.query:
        written += f"?{parts.query}"
    authority = parts.netloc.rpartition("@")[2]
    try:
        target = parse_target(written)
        host, _ = parse_host(authority)
    except RemoteProtocolError as error:
        raise LocalProtocolError(f"{url}: {error}") from None
    fields = [("Host", authority), *(_HANDSHAKE if scheme in ("ws", "wss") else ())]
    head = RequestHead(method, written, (1, 1), Headers.from_parsed(fields))
    is_tls = scheme in ("wss", "https")
    return Question(head, target, host, port or _PORTS[scheme], "https" if is_tls else "http")


def _address(config: Config, port: int) -> ListenAddress | None:
    """Return the address at which a port's requests arrive, a wildcard's where there is one."""
    found = [
        (listen.host, listen.port)
        for server in config.servers
        for listen in server.listens
        if listen.port == port and not listen.unix
    ]
    return next((one for one in found if one[0] in WILDCARDS), next(iter(found), None))


def _why_not_server(other: Server, address: ListenAddress, *, is_named: bool) -> str:
    if not any((listen.host, listen.port) == address for listen in other.listens):
        return f"listens at {addresses_of(other)}"
    return "another name fits better" if is_named else "its name does not fit"


def _explain_way(server: Server, router: Router, walk: Walk, question: Question) -> Iterator[str]:
    """Yield what happens in a server: its script, a location, and where that leads, in turn."""
    yield from walk.run(server.rewrite)
    if walk.answer is not None:
        yield f"  the server answers {walk.answer}, before any location is looked for"
        return
    for number in range(_ROUNDS_MAX):
        route = _route(server, router, walk)
        yield from _explain_location(server, route, walk, is_first=not number)
        walk.is_moved, walk.named = False, ""
        if route.location is None:
            return
        yield from _explain_answer(route, walk, question)
        if not (walk.is_moved or walk.named):
            return
    yield f"answer: 500: after {_ROUNDS_MAX} rounds it still leads on"


def _route(server: Server, router: Router, walk: Walk) -> Route:
    if not walk.named:
        route = router.locations_of(server).find(walk.uri)
        walk.capture(route.captures)
        walk.is_location_valid = True
        return route
    named = (one for one in server.locations if one.kind is MatchKind.NAMED)
    return Route(next((one for one in named if f"@{one.pattern}" == walk.named), None))


def _explain_location(server: Server, route: Route, walk: Walk, *, is_first: bool) -> Iterator[str]:
    found, uri = route.location, walk.uri
    if found is None:
        yield f"location: none matches {walk.named or uri}: the server's own files"
    else:
        yield f"location: {label_of(found)} ({_show(found.position)})"
    for other in _all(server.locations) if is_first else ():
        if other is not found:
            reason = _why_not_location(other, uri, route)
            yield f"  not {label_of(other)} ({_show(other.position)}): {reason}"


def _all(locations: Sequence[Location]) -> Iterator[Location]:
    for location in locations:
        yield location
        yield from _all(location.locations)


def _why_not_location(other: Location, uri: str, route: Route) -> str:
    """Return why a location does not answer, by nginx's order of finding one."""
    if other.kind is MatchKind.NAMED:
        return "only try_files, error_page and the like lead there"
    if other.kind is MatchKind.EXACT:
        return f"{uri} is not {other.pattern}"
    if other.kind in _PREFIXES:
        if not uri.startswith(other.pattern):
            return f"{uri} does not begin with {other.pattern}"
        return "a longer prefix, or an expression, goes before it"
    assert other.regex is not None
    if other.regex.search(uri) is None:
        return f"it does not match {uri}"
    kind = route.location.kind if route.location is not None else MatchKind.PREFIX
    if kind in (MatchKind.REGEX, MatchKind.REGEX_NOCASE):
        return "an expression before it in the file matches"
    return f"`{kind.value}` goes before expressions" if kind.value else "an exact match ends there"


def _explain_answer(route: Route, walk: Walk, question: Question) -> Iterator[str]:
    location = route.location
    assert location is not None
    if route.is_redirect:
        yield f"answer: 301 to {location.pattern}: the path lacks its last slash"
        return
    if location.settings.internal and not walk.is_internal:
        yield "answer: 404: the location is internal"
        return
    walk.settings = location.settings
    limited = location.limit_except
    if limited is not None and question.head.method not in limited.methods:
        yield f"  limit_except: what it says holds for {question.head.method}"
        walk.settings = limited.settings
    yield from walk.run(location.rewrite)
    if walk.answer is None and not walk.is_moved:
        yield from _let_in(walk.settings, walk)
    if walk.answer is None and not walk.is_moved and walk.settings.try_files is not None:
        yield from _try_files(walk.settings.try_files, walk)
    if walk.answer is not None:
        yield from _explain_status(walk.answer, walk.settings, walk)
    elif walk.is_moved or walk.named:
        yield f"  a location is looked for again, for {walk.named or walk.uri}"
    elif walk.settings.proxy.pass_ is None:
        yield f"answer: {walk.settings.handler or 'a file, if there is one'}"
    else:
        yield from _explain_upstream(location, walk.settings.proxy.pass_, walk, question)


def _let_in(settings: LocationSettings, walk: Walk) -> Iterator[str]:
    """Let the first of allow and deny decide, if it is about all clients."""
    if not settings.access:
        return
    first = settings.access[0]
    if first.cidr is not None:
        yield "  allow, deny: the client's address is not to be known here, and taken as allowed"
    elif not first.is_allowed and settings.satisfy == "all":
        walk.answer = Answer(403)


def _try_files(directive: TryFiles, walk: Walk) -> Iterator[str]:
    names = ", ".join(path.render(walk) or "" for path, _ in directive.paths)
    yield f"  try_files: a file {names} would be the answer; taken as not there"
    if directive.status is not None:
        walk.answer = Answer(directive.status)
    else:
        walk.go_to(directive.fallback.render(walk))


def _explain_status(answer: Answer, settings: LocationSettings, walk: Walk) -> Iterator[str]:
    """Yield what nginx answers itself, or which page of error_page goes before it."""
    page = next((one for one in settings.error_pages if one.status == answer.status), None)
    if page is None or answer.text or answer.status < _ERROR_STATUS or walk.is_internal:
        yield f"answer: {answer}"
        return
    place = page.uri.render(walk)
    yield f"  {answer} is sent on to {place} by error_page"
    if place.startswith(("/", "@")):
        walk.go_to(place)
    else:
        yield f"answer: 302 {place}"


def _explain_upstream(
    location: Location, passed: ProxyPass, walk: Walk, question: Question
) -> Iterator[str]:
    assert walk.settings is not None
    if passed.template is not None:
        url = passed.template.render(walk)
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        walk.passed = replace(passed, scheme=scheme, authority=authority)
        sent = (
            slash + path if slash else _target(location, replace(passed, uri=None), walk, question)
        )
    else:
        walk.passed, authority = passed, passed.unix or passed.authority
        sent = _target(location, passed, walk, question)
    proxy = walk.settings.proxy
    head = upstream_request(
        question.head, proxy, method=question.head.method, target=sent, lookup=walk
    )
    yield f"upstream: {authority}, which gets"
    major, minor = head.version
    yield f"  {head.method} {head.target} HTTP/{major}.{minor}"
    for name, value in head.headers.items():
        yield f"  {name}: {value}"


def _target(location: Location, passed: ProxyPass, walk: Walk, question: Question) -> str:
    """Return the request-target for the upstream; a path behind `break` goes as it is."""
    is_regex = location.kind in (MatchKind.REGEX, MatchKind.REGEX_NOCASE)
    return upstream_target(
        passed if walk.is_location_valid else replace(passed, uri=None),
        prefix="" if is_regex else location.pattern,
        uri=walk.uri,
        args=walk.args,
        request_uri="" if walk.is_uri_changed else question.target.request_uri,
        is_escaped=question.target.is_escaped,
    )


def _show(position: Position) -> str:
    return show_text(f"{position.file}:{position.line}")
