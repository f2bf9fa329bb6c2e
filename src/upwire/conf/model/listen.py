"""`listen` and `server_name`: the addresses of servers, and what two servers may not share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from upwire.conf.model.assembly import Assembly, Wrong, compile_regex
from upwire.conf.model.types import Listen, NameKind, Server, ServerName
from upwire.conf.syntax import Directive, Position
from upwire.conf.values import (
    check_host,
    check_unix_path,
    parse_number,
    parse_port,
    parse_size,
    parse_time,
    split_port,
)

_DEFAULT_PORT = 80
_WILDCARD = "0.0.0.0"
_HTTP2_DIRECTIVE = (1, 25, 1)
_HTTP2_DEPRECATED = (
    'the "listen ... http2" directive is deprecated, use the "http2" directive instead'
)


def read_listen(directive: Directive, assembly: Assembly) -> tuple[Listen, ...]:
    """Return the addresses of one `listen`, one for each port of a range."""
    text, place = directive.args[0], directive.arg_positions[0]
    try:
        listens = list(_parse_address(text, place))
    except ValueError as error:
        raise Wrong(f'{error} in "{text}" of the "listen" directive', place) from None
    for option, at in zip(directive.args[1:], directive.arg_positions[1:], strict=True):
        if option == "http2" and assembly.version >= _HTTP2_DIRECTIVE:
            assembly.warn(_HTTP2_DEPRECATED, directive.position)
        try:
            listens = [_with_option(listen, option) for listen in listens]
        except ValueError as error:
            raise Wrong(str(error), at) from None
    return tuple(listens)


def default_listen(server: Directive) -> Listen:
    """Return where a server without `listen` is reached: port 80 of every IPv4 address."""
    return Listen(_WILDCARD, _DEFAULT_PORT, server.position)


def address_text(listen: Listen) -> str:
    """Return an address as nginx's messages have it."""
    return f"unix:{listen.unix}" if listen.unix is not None else f"{listen.host}:{listen.port}"


def _parse_address(text: str, at: Position) -> Iterator[Listen]:
    """Give "port", "host", "host:port" or "unix:path", where a port may be a range "80-89"."""
    if text[:5].lower() == "unix:":
        yield Listen("", 0, at, unix=check_unix_path(text[5:]))
        return
    if "/" in text or ("?" in text and not text.startswith("[")):
        raise ValueError("invalid host")
    host, ports = split_port(text)
    if ports is None:
        if _is_port_range(host):
            host, ports = _WILDCARD, host
        else:
            ports = str(_DEFAULT_PORT)
    host = check_host(_WILDCARD if host == "*" else host)
    first, dash, last = ports.partition("-")
    first_port = parse_port(first)
    last_port = parse_port(last) if dash else first_port
    if first_port > last_port:
        raise ValueError("invalid port range")
    for port in range(first_port, last_port + 1):
        yield Listen(host, port, at)


def _is_port_range(text: str) -> bool:
    return text.isascii() and text.replace("-", "", 1).isdigit()


def _with_option(listen: Listen, option: str) -> Listen:
    """Return listen with one parameter set; raises ValueError with nginx's message."""
    match option:
        case "default_server" | "default":
            return replace(listen, is_default_server=True)
        case "bind" | "multipath":
            return replace(listen, bind=True)
        case "deferred":
            return replace(listen, deferred=True, bind=True)
        case "reuseport":
            return replace(listen, reuseport=True, bind=True)
        case "ssl":
            return replace(listen, ssl=True)
        case "http2":
            return replace(listen, http2=True)
        case "quic":
            return replace(listen, quic=True)
        case "proxy_protocol":
            return replace(listen, proxy_protocol=True)
        case "ipv6only=on" | "ipv6only=off":
            return replace(listen, ipv6only=option.endswith("on"), bind=True)
    name, equals, value = option.partition("=")
    if equals and name == "so_keepalive":
        return replace(listen, so_keepalive=_check_keepalive(value), bind=True)
    if equals and name in ("backlog", "fastopen", "rcvbuf", "sndbuf", "accept_filter"):
        return _with_number(listen, name, value, option)
    if option.startswith("ipv6only=o"):
        raise ValueError(f'invalid ipv6only flags "{value}"')
    raise ValueError(f'invalid parameter "{option}"')


def _with_number(listen: Listen, name: str, value: str, option: str) -> Listen:
    try:
        match name:
            case "backlog" if parse_number(value) > 0:
                return replace(listen, backlog=parse_number(value), bind=True)
            case "fastopen":
                return replace(listen, fastopen=parse_number(value), bind=True)
            case "rcvbuf":
                return replace(listen, rcvbuf_octets=parse_size(value), bind=True)
            case "sndbuf":
                return replace(listen, sndbuf_octets=parse_size(value), bind=True)
            case "accept_filter":  # not on Linux: nginx says so and goes on
                return listen
    except ValueError:
        pass
    raise ValueError(f'invalid {name} "{option}"')


def _check_keepalive(value: str) -> str:
    """Return on, off, or idle:interval:count with at least one of them given."""
    if value in ("on", "off"):
        return value
    idle, _, rest = value.partition(":")
    interval, _, count = rest.partition(":")
    try:
        times = [parse_time(text, least_is_seconds=True) for text in (idle, interval) if text]
        is_right = any(times) or (count != "" and parse_number(count) > 0)
        if count:
            parse_number(count)
    except ValueError:
        is_right = False
    if not is_right:
        raise ValueError(f'invalid so_keepalive value: "{value}"')
    return value


def read_names(directive: Directive, assembly: Assembly) -> tuple[ServerName, ...]:
    """Return the names of one `server_name`, ".example.com" as two.

    $hostname stays as it is written: the proxy knows the machine's name.
    """
    names: list[ServerName] = []
    for text, at in zip(directive.args, directive.arg_positions, strict=True):
        if (text[:1] == "*" and (len(text) < 3 or text[1] != ".")) or text == ".":
            raise Wrong(f'server name "{text}" is invalid', at)
        if "/" in text:
            assembly.warn(f'server name "{text}" has suspicious symbols', at)
        names += [_read_expression(text, at)] if text.startswith("~") else _read_name(text.lower())
    return tuple(names)


def _read_name(name: str) -> list[ServerName]:
    if name.startswith("."):
        return [
            ServerName(NameKind.EXACT, name[1:]),
            ServerName(NameKind.LEADING_WILDCARD, "*" + name),
        ]
    if name.startswith("*."):
        return [ServerName(NameKind.LEADING_WILDCARD, name)]
    if name.endswith(".*"):
        return [ServerName(NameKind.TRAILING_WILDCARD, name)]
    return [ServerName(NameKind.EXACT, name)]


def _read_expression(text: str, at: Position) -> ServerName:
    """Hosts are compared in lower case, so a capital letter makes an expression caseless."""
    if text == "~":
        raise Wrong(f'empty regex in server name "{text}"', at)
    pattern = text[1:]
    is_caseless = any("A" <= sign <= "Z" for sign in pattern)
    regex = compile_regex(pattern, at, is_caseless=is_caseless)
    return ServerName(NameKind.REGEX, pattern, regex)


def check_addresses(servers: Sequence[Server], assembly: Assembly) -> None:
    """Note what servers of one address may not share; ngx_http_add_addresses() in nginx."""
    shared: dict[str, list[tuple[Server, Listen]]] = {}
    for server in servers:
        for listen in server.listens:
            there = shared.setdefault(address_text(listen), [])
            fault = _find_clash(server, listen, there)
            if fault:
                assembly.fault(f"{fault} {address_text(listen)}", listen.position)
            else:
                there.append((server, listen))
    for address, users in shared.items():
        if len(users) > 1:
            _check_names(address, [server for server, _ in users], assembly)
        _check_certificate(users, assembly)


def _find_clash(server: Server, listen: Listen, there: Sequence[tuple[Server, Listen]]) -> str:
    """Return nginx's words for what cannot share an address with those there; "" is none."""
    if any(other is server for other, _ in there):
        return "a duplicate listen"
    if listen.bind and any(other.bind for _, other in there):
        return "duplicate listen options for"
    if listen.is_default_server and any(other.is_default_server for _, other in there):
        return "a duplicate default server for"
    return ""


def _check_names(address: str, servers: Sequence[Server], assembly: Assembly) -> None:
    """Note names that nginx's hash refuses, and those that two servers of one address have."""
    seen: set[str] = set()
    for server in servers:
        for name in server.names:
            if name.kind is NameKind.REGEX:
                continue
            inner = name.pattern.removeprefix("*.").removesuffix(".*")
            if "*" in inner or ".." in name.pattern:
                message = f'invalid server name or wildcard "{name.pattern}" on {address}'
                assembly.fault(message, server.position)
            elif name.pattern in seen:
                message = f'conflicting server name "{name.pattern}" on {address}, ignored'
                assembly.warn(message, server.position)
            seen.add(name.pattern)


def _check_certificate(users: Sequence[tuple[Server, Listen]], assembly: Assembly) -> None:
    """An address with `ssl` needs a certificate in its default server.

    One that refuses all handshakes leaves it to each of the others.
    """
    default = next((server for server, listen in users if listen.is_default_server), users[0][0])
    tls = next((listen for _, listen in users if listen.ssl or listen.quic), None)
    if tls is None or default.ssl.certificates:
        return
    others = [server for server, _ in users] if default.ssl.rejects_handshake else []
    lacking = [server for server in (default, *others) if not server.ssl.is_complete]
    if lacking:
        kind = "ssl" if tls.ssl else "quic"
        message = f'no "ssl_certificate" is defined for the "listen ... {kind}" directive'
        assembly.missing(message, lacking[0].position)
