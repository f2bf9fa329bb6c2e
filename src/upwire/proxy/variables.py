"""The values of nginx's variables: one reader each.

Which names exist is conf/variables.py's table; here is what they give for one request. None is
"not set", which a log shows as "-" and a template as nothing.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Callable
from functools import lru_cache, partial

from upwire.conf.model import Geo, Map, SplitClients
from upwire.conf.regex import RegexFailed
from upwire.proxy.cycle import Cycle
from upwire.proxy.headers import head_octets
from upwire.proxy.modules import geo, split_clients, ssl
from upwire.proxy.modules.auth_basic import read_credentials
from upwire.proxy.modules.ssi import show_time
from upwire.proxy.modules.static import map_to_path
from upwire.proxy.request import Request, UpstreamTry
from upwire.proxy.route import Captures
from upwire.wire.fields import Headers
from upwire.wire.proxy_protocol import ProxyHeader

Reader = Callable[[Request], str | None]

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def look_up(request: Request, name: str) -> str | None:
    """Return the value of a variable; name is without "$", or the digit of a capture."""
    if name in request.variables:
        return request.variables[name]
    readers = request.cycle.readers or _know_readers(request.cycle)
    reader = readers.get(name) or _find_family_reader(name)
    return reader(request) if reader is not None else None


def _know_readers(cycle: Cycle) -> dict[str, Reader]:
    """Let a configuration in use know who reads the variables that have one name."""
    config, readers = cycle.config, cycle.readers
    for name in config.set_variables:
        readers[name] = _find_family_reader(name) or partial(_begin_variable, name)
    readers |= READERS
    readers |= {name: partial(_read_split, split) for name, split in config.splits.items()}
    readers |= {name: partial(_read_geo, table) for name, table in config.geos.items()}
    readers |= {name: partial(_read_map, name, table) for name, table in config.maps.items()}
    return readers


def _find_family_reader(name: str) -> Reader | None:
    if name.isdecimal():
        return lambda request: request.captures.get(name)
    for prefix, reader in FAMILIES.items():
        if name.startswith(prefix):
            return partial(reader, name[len(prefix) :])
    return None


def _begin_variable(name: str, request: Request) -> str:
    """Return what a variable has before its `set` has run."""
    if request.settings.uninitialized_variable_warn:
        request.log("warn", f'using uninitialized "{name}" variable')
    request.variables[name] = ""
    return ""


def _read_map(name: str, table: Map, request: Request) -> str | None:
    """Return a map's value, found once for each request unless the map is volatile."""
    request.variables[name] = None  # a map that refers to itself finds nothing
    try:
        template, captures = table.find(table.source.render(request.lookup))
    except RegexFailed as error:
        request.log("alert", str(error))
        template, captures = table.default, None
    if captures is not None:
        names = next(regex.names for regex, found in table.regexes if found is template)
        request.capture(Captures(captures, names))
    value = template.render(request.lookup)
    if table.volatile:
        del request.variables[name]
    else:
        request.variables[name] = value
    return value


def _read_split(split: SplitClients, request: Request) -> str | None:
    return split_clients.find_value(request, split)


def _read_geo(table: Geo, request: Request) -> str:
    value = geo.find_value(request, table)
    if not table.volatile:
        request.variables[table.variable] = value
    return value


# Families, such as $http_user_agent


def _field(headers: Headers, name: str) -> str | None:
    """Return the field that a variable's name means; several lines are one list, as in nginx."""
    values = headers.get_all(name.replace("_", "-"))
    if not values:
        return None
    return ("; " if name == "cookie" else ", ").join(values)


def _argument(name: str, request: Request) -> str | None:
    for pair in request.args.split("&"):
        key, equals, value = pair.partition("=")
        if equals and key.lower() == name:
            return value
    return None


def _cookie(lines: list[str], name: str) -> str | None:
    for line in lines:
        for pair in line.split(";"):
            key, equals, value = pair.strip(" ").partition("=")
            if equals and key.rstrip(" ").lower() == name:
                return value.strip(" ")
    return None


def _set_cookie(name: str, request: Request) -> str | None:
    lines = request.upstream_fields.get_all("Set-Cookie")
    return _cookie([line.partition(";")[0] for line in lines], name)


# Times


def _local_time(_: Request) -> str:
    return _local_second(int(time.time()))


@lru_cache(maxsize=4)
def _local_second(second: int) -> str:
    now = time.localtime(second)
    month = _MONTHS[now.tm_mon - 1]  # strftime's %b follows the locale, a log's format does not
    return time.strftime(f"%d/{month}/%Y:%H:%M:%S %z", now)


def _iso8601(_: Request) -> str:
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return f"{stamp[:-2]}:{stamp[-2:]}"


# The upstream's: one value for each try


def _each_try(read: Callable[[UpstreamTry], str]) -> Reader:
    def join(request: Request) -> str | None:
        parts: list[str] = []
        for attempt in request.tries:
            if parts:
                parts.append(" : " if attempt.is_first else ", ")
            parts.append(read(attempt))
        return "".join(parts) or None

    return join


def _seconds(duration_s: float | None) -> str:
    return "-" if duration_s is None else f"{duration_s:.3f}"


def _proxy_host(request: Request) -> str | None:
    passed = request.settings.proxy.pass_
    return request.passed_authority or (passed.authority if passed else None)


def _proxy_port(request: Request) -> str | None:
    passed = request.settings.proxy.pass_
    if passed is None:
        return None
    return str(passed.port or (443 if passed.scheme == "https" else 80))


def _passed_length(request: Request) -> str | None:
    return None if request.passed_octets is None else str(request.passed_octets)


def _forwarded_for(request: Request) -> str:
    return ", ".join([*request.head.headers.get_all("X-Forwarded-For"), request.client.address])


# The client, the request and the response


def _proxied(read: Callable[[ProxyHeader], str]) -> Reader:
    def read_header(request: Request) -> str:
        header = request.client.proxied
        return read(header) if header is not None else ""

    return read_header


def _proxy_tlv(name: str, request: Request) -> str | None:
    header = request.client.proxied
    value = header.tlv(name) if header is not None else None
    return value.decode("latin-1") if value is not None else None


def _connected(request: Request) -> tuple[str, int]:
    client = request.client
    return client.connected or (client.address, client.port)


def _binary_address(request: Request) -> str:
    address = request.client.address
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_pton(family, address).decode("latin-1")
        except OSError:
            continue
    return address


def _request_length(request: Request) -> str:
    return str(head_octets(request.request_line, request.head.headers) + request.body_octets)


def _remote_user(request: Request) -> str | None:
    credentials = read_credentials(request)
    return credentials[0] if credentials is not None else None


def _protocol(request: Request) -> str | None:
    major, minor = request.head.version
    return f"HTTP/{major}.{minor}" if request.head.method else None


def _request_id(request: Request) -> str:
    request.main.request_id = request.main.request_id or secrets.token_hex(16)
    return request.main.request_id


def _body_text(request: Request) -> str | None:
    memory = request.body.memory if request.body is not None else None
    return memory.decode("latin-1") if memory else None


def _document_root(request: Request) -> str:
    return map_to_path(request, "")


def _real_root(request: Request) -> str:
    return os.path.realpath(map_to_path(request, "").encode("latin-1")).decode("latin-1")


READERS: dict[str, Reader] = {
    "args": lambda request: request.args or None,
    "binary_remote_addr": _binary_address,
    "body_bytes_sent": lambda request: str(request.reply.body_octets),
    "bytes_sent": lambda request: str(request.reply.head_octets + request.reply.body_octets),
    "connection": lambda request: str(request.client.number),
    "connections_active": lambda request: str(request.cycle.counters.totals().active),
    "connections_reading": lambda request: str(request.cycle.counters.totals().reading),
    "connections_waiting": lambda request: str(request.cycle.counters.totals().waiting),
    "connections_writing": lambda request: str(request.cycle.counters.totals().in_flight),
    "connection_requests": lambda request: str(request.client.requests),
    "connection_time": lambda request: f"{time.time() - request.client.started_s:.3f}",
    "content_length": lambda request: request.head.headers.get("Content-Length"),
    "content_type": lambda request: _field(request.head.headers, "content_type"),
    "document_root": _document_root,
    "document_uri": lambda request: request.uri,
    "host": lambda request: request.host or request.server_name,
    "limit_rate": lambda request: str(request.main.limit_rate or 0),
    "hostname": lambda _: socket.gethostname(),
    "https": lambda request: "on" if request.client.is_tls else "",
    "is_request_port": lambda request: ":" if request.host_port else "",
    "request_port": lambda request: str(request.host_port or ""),
    "is_args": lambda request: "?" if request.args else "",
    "msec": lambda _: f"{time.time():.3f}",
    "nginx_version": lambda request: ".".join(map(str, request.cycle.config.version)),
    "pid": lambda _: str(os.getpid()),
    "pipe": lambda _: ".",
    "proxy_add_x_forwarded_for": _forwarded_for,
    "proxy_host": _proxy_host,
    "proxy_internal_body_length": _passed_length,
    "proxy_internal_chunked": lambda request: "chunked" if request.passed_is_chunked else None,
    "proxy_port": _proxy_port,
    "request_body": _body_text,
    "request_body_file": lambda request: request.body.path if request.body is not None else None,
    "proxy_protocol_addr": _proxied(lambda header: header.source),
    "proxy_protocol_port": _proxied(lambda header: str(header.source_port)),
    "proxy_protocol_server_addr": _proxied(lambda header: header.destination),
    "proxy_protocol_server_port": _proxied(lambda header: str(header.destination_port)),
    "query_string": lambda request: request.args or None,
    "realpath_root": _real_root,
    "realip_remote_addr": lambda request: _connected(request)[0],
    "realip_remote_port": lambda request: str(_connected(request)[1] or ""),
    "remote_addr": lambda request: request.client.address,
    "remote_port": lambda request: str(request.client.port or ""),
    "remote_user": _remote_user,
    "request": lambda request: request.request_line or None,
    "request_completion": lambda request: "" if request.reply.is_cut else "OK",
    "request_filename": lambda request: map_to_path(request, request.uri),
    "request_id": _request_id,
    "request_length": _request_length,
    "request_method": lambda request: request.method or None,
    "request_time": lambda request: f"{time.time() - request.started_s:.3f}",
    "request_uri": lambda request: request.target.request_uri or None,
    "scheme": lambda request: request.scheme,
    "server_addr": lambda request: request.client.local_address,
    "server_name": lambda request: request.server_name,
    "server_port": lambda request: str(request.client.local_port),
    "server_protocol": _protocol,
    "status": lambda request: f"{request.status_override or request.reply.status:03d}",
    "time_iso8601": _iso8601,
    "time_local": _local_time,
    "upstream_addr": _each_try(lambda attempt: attempt.address),
    "upstream_bytes_received": _each_try(lambda attempt: str(attempt.received_octets)),
    "upstream_bytes_sent": _each_try(lambda attempt: str(attempt.sent_octets)),
    "upstream_connect_time": _each_try(lambda attempt: _seconds(attempt.connect_time_s)),
    "upstream_header_time": _each_try(lambda attempt: _seconds(attempt.header_time_s)),
    "upstream_response_length": _each_try(lambda attempt: str(attempt.response_octets)),
    "upstream_response_time": _each_try(lambda attempt: _seconds(attempt.response_time_s)),
    "upstream_status": _each_try(lambda attempt: str(attempt.status or "-")),
    "uri": lambda request: request.uri,
    "date_gmt": lambda request: show_time(request, is_gmt=True),
    "date_local": lambda request: show_time(request, is_gmt=False),
    **ssl.READERS,
}

CHANGING = frozenset(
    {
        "body_bytes_sent",
        "bytes_sent",
        "connection_time",
        "msec",
        "request_time",
        "time_iso8601",
        "time_local",
        "upstream_bytes_received",
        "upstream_bytes_sent",
        "upstream_response_length",
        "upstream_response_time",
    }
)
"""Those that an answer still changes once its head was sent."""

FAMILIES: dict[str, Callable[[str, Request], str | None]] = {
    "http_": lambda name, request: _field(request.head.headers, name),
    "arg_": _argument,
    "proxy_protocol_tlv_": _proxy_tlv,
    "cookie_": lambda name, request: _cookie(request.head.headers.get_all("Cookie"), name),
    "sent_trailer_": lambda name, request: _field(request.reply.trailers or Headers(), name),
    "sent_http_": lambda name, request: _field(request.reply.fields, name),
    "upstream_http_": lambda name, request: _field(request.upstream_fields, name),
    "upstream_cookie_": _set_cookie,
}
