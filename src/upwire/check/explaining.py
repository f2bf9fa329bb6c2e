"""`--explain`: one request on its way through a configuration, and why it goes there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from upwire.check.built import addresses_of, label_of, name_of, own_answer
from upwire.check.report import show_text
from upwire.conf.model import Config, Location, MatchKind, ProxyPass, Server
from upwire.conf.regex import RegexFailed
from upwire.conf.syntax import Position
from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.proxy.headers import upstream_request, upstream_target
from upwire.proxy.route import WILDCARDS, Captures, ListenAddress, Route, Router
from upwire.proxy.target import Target, parse_host, parse_target
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


@dataclass(frozen=True, slots=True)
class _Question:
    """The request that is asked about; host is in lower case, port where it arrives."""

    head: RequestHead
    target: Target
    host: str
    port: int
    scheme: str


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
    server, _ = table.find(question.host)
    yield f"server: {name_of(server)} ({_show(server.position)})"
    is_named = table.find_named(question.host) is not None
    why = "its name fits" if is_named else "no name fits, and it is the default there"
    yield f"  it answers: {why}"
    for other in config.servers:
        if other is not server:
            reason = _why_not_server(other, address, is_named=is_named)
            yield f"  not {name_of(other)} ({_show(other.position)}): {reason}"
    try:
        yield from _explain_location(config, server, router, question)
    except RegexFailed as error:
        yield f"answer: 500: {error}"


def _read(method: str, url: str) -> _Question:
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
    return _Question(head, target, host, port or _PORTS[scheme], "https" if is_tls else "http")


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


def _explain_location(
    config: Config, server: Server, router: Router, question: _Question
) -> Iterator[str]:
    if (answer := own_answer(server.rewrite)) is not None:
        yield f"  the server answers {answer}, before any location is looked for"
        return
    if server.rewrite:
        yield "  its rewrite, if and set run before a location is looked for: not followed here"
    uri = question.target.uri
    route = router.locations_of(server).find(uri)
    found = route.location
    if found is None:
        yield f"location: none matches {uri}: the server's own files"
    else:
        yield f"location: {label_of(found)} ({_show(found.position)})"
    for other in _all(server.locations):
        if other is not found:
            reason = _why_not_location(other, uri, route)
            yield f"  not {label_of(other)} ({_show(other.position)}): {reason}"
    if found is not None:
        yield from _explain_answer(config, server, found, route, question)


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


def _explain_answer(
    config: Config, server: Server, location: Location, route: Route, question: _Question
) -> Iterator[str]:
    settings = location.settings
    if route.is_redirect:
        yield f"answer: 301 to {location.pattern}: the path lacks its last slash"
        return
    if settings.internal:
        yield "answer: 404: the location is internal"
        return
    if (answer := own_answer(location.rewrite)) is not None:
        yield f"answer: {answer}"
        return
    passed = settings.proxy.pass_
    if passed is None:
        yield f"answer: {settings.handler or 'a file, if there is one'}"
        return
    if location.rewrite:
        yield "  its rewrite, if and set run first: not followed here"
    yield from _explain_upstream(config, server, location, passed, route.captures, question)


def _explain_upstream(
    config: Config,
    server: Server,
    location: Location,
    passed: ProxyPass,
    captures: Captures,
    question: _Question,
) -> Iterator[str]:
    lookup = _Lookup(config, server, passed, captures, question)
    target = question.target
    if passed.template is not None:
        url = passed.template.render(lookup)
        authority, slash, path = url.partition("://")[2].partition("/")
        sent = slash + path if slash else target.request_uri
    else:
        authority = passed.unix or passed.authority
        prefix = (
            "" if location.kind in (MatchKind.REGEX, MatchKind.REGEX_NOCASE) else location.pattern
        )
        sent = upstream_target(
            passed,
            prefix=prefix,
            uri=target.uri,
            args=target.args,
            request_uri=target.request_uri,
            is_escaped=target.is_escaped,
        )
    proxy = location.settings.proxy
    head = upstream_request(
        question.head, proxy, method=question.head.method, target=sent, lookup=lookup
    )
    yield f"upstream: {authority}, which gets"
    major, minor = head.version
    yield f"  {head.method} {head.target} HTTP/{major}.{minor}"
    for name, value in head.headers.items():
        yield f"  {name}: {value}"


class _Lookup:
    """The values of variables for the request asked about; of the others their names."""

    def __init__(
        self,
        config: Config,
        server: Server,
        passed: ProxyPass,
        captures: Captures,
        question: _Question,
    ) -> None:
        target, head = question.target, question.head
        self._maps = config.maps
        self._captures = captures
        self._head = head
        self._values = {
            "host": question.host,
            "scheme": question.scheme,
            "https": "on" if question.scheme == "https" else "",
            "request_method": head.method,
            "request_uri": target.request_uri,
            "uri": target.uri,
            "document_uri": target.uri,
            "args": target.args,
            "query_string": target.args,
            "is_args": "?" if target.args else "",
            "server_port": str(question.port),
            "server_name": server.names[0].pattern if server.names else "",
            "server_protocol": "HTTP/1.1",
            "request": f"{head.method} {head.target} HTTP/1.1",
            "proxy_host": passed.authority,
            "proxy_port": str(passed.port),
            "proxy_add_x_forwarded_for": "$remote_addr",
            "proxy_internal_body_length": "",
            "proxy_internal_chunked": "",
        }

    def __call__(self, name: str) -> str | None:
        """Return a variable's value, "$name" where only a real request has one."""
        if name.isdecimal() or self._captures.get(name) is not None:
            return self._captures.get(name)
        if name in self._values:
            return self._values[name]
        if (table := self._maps.get(name)) is not None:
            self._values[name] = ""  # a map that refers to itself finds nothing
            template, _ = table.find(table.source.render(self))
            self._values[name] = template.render(self)
            return self._values[name]
        if name.startswith("http_"):
            return self._head.headers.get(name.removeprefix("http_").replace("_", "-")) or ""
        return f"${name}"


def _show(position: Position) -> str:
    return show_text(f"{position.file}:{position.line}")
