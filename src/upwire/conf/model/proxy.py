"""ngx_http_proxy_module: where a request goes, with which fields, and what comes back."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.proxy_rewrites import (
    Place,
    check_rewrites,
    read_cookie_domains,
    read_cookie_flags,
    read_cookie_paths,
    read_redirects,
)
from upwire.conf.model.ssl import read_proxy_ssl
from upwire.conf.model.types import Buffers, ProxyBind, ProxyPass, ProxySettings, split_local
from upwire.conf.syntax import Directive
from upwire.conf.values import Address, parse_address, parse_number, parse_size
from upwire.conf.variables import Template

_PORTS = {"http": 80, "https": 443}
_KEEPALIVE_SINCE = (1, 29, 7)  # no more "Connection: close" by default
_NO_URI = (
    '"proxy_pass" cannot have URI part in location given by regular expression, '
    'or inside named location, or inside "if" statement, or inside "limit_except" block'
)
_TEMP_FILE_TOO_SMALL = (
    '"proxy_max_temp_file_size" must be equal to zero to disable temporary files usage or must be '
    'equal to or greater than the maximum of the value of "proxy_buffer_size" and one of the '
    '"proxy_buffers"'
)
_DEFAULT_TEMP_FILE_OCTETS = 1 << 30
_BUFFER_SIZES = ("proxy_buffer_size", "proxy_buffers")
_BUSY_TOO_SMALL = (
    '"proxy_busy_buffers_size" must be equal to or greater than the maximum of the value of '
    '"proxy_buffer_size" and one of the "proxy_buffers"'
)
_BUSY_TOO_GREAT = (
    '"proxy_busy_buffers_size" must be less than the size of all "proxy_buffers" minus one buffer'
)
_DEFAULT_FIELDS = (  # ngx_http_proxy_headers; "" drops the client's own field
    ("Connection", ""),
    ("Proxy-Connection", ""),
    ("Content-Length", "$proxy_internal_body_length"),
    ("Transfer-Encoding", "$proxy_internal_chunked"),
    ("TE", ""),
    ("Keep-Alive", ""),
    ("Expect", ""),
    ("Upgrade", ""),
)
_HIDDEN_FIELDS = frozenset(  # ngx_http_proxy_hide_headers
    {
        *("date", "server", "x-pad", "x-accel-expires", "x-accel-redirect"),
        *("x-accel-limit-rate", "x-accel-buffering", "x-accel-charset"),
    }
)


def read_proxy(scope: Scope, place: Place, assembly: Assembly) -> ProxySettings:
    """Return the settings that hold at one level; `proxy_pass` itself is never inherited."""
    passed = read_proxy_pass(scope, place, assembly)
    check_rewrites(scope, assembly)
    buffers = _read_buffers(scope, assembly)
    bind = scope.one("proxy_bind")
    major, _, minor = scope.text("proxy_http_version").partition(".")
    fields = _read_fields(scope, assembly)
    return ProxySettings(
        pass_=passed,
        set_headers=fields,
        replaced_headers=frozenset(name.lower() for name, _ in fields),
        http_version=(int(major), int(minor or 0)),
        connect_timeout_s=scope.time_s("proxy_connect_timeout"),
        read_timeout_s=scope.time_s("proxy_read_timeout"),
        send_timeout_s=scope.time_s("proxy_send_timeout"),
        buffering=scope.flag("proxy_buffering"),
        request_buffering=scope.flag("proxy_request_buffering"),
        buffer_octets=scope.octets("proxy_buffer_size"),
        buffers=buffers,
        pass_request_headers=scope.flag("proxy_pass_request_headers"),
        pass_request_body=scope.flag("proxy_pass_request_body"),
        hide_headers=_read_hidden(scope),
        ignore_headers=_read_choices(scope, "proxy_ignore_headers"),
        redirects=read_redirects(scope, place, passed, assembly),
        intercept_errors=scope.flag("proxy_intercept_errors"),
        next_upstream=_read_choices(scope, "proxy_next_upstream"),
        next_upstream_tries=scope.number("proxy_next_upstream_tries"),
        next_upstream_timeout_s=scope.time_s("proxy_next_upstream_timeout"),
        socket_keepalive=scope.flag("proxy_socket_keepalive"),
        ignore_client_abort=scope.flag("proxy_ignore_client_abort"),
        method=_read_template("proxy_method", scope, assembly),
        set_body=_read_template("proxy_set_body", scope, assembly),
        limit_rate=_read_template("proxy_limit_rate", scope, assembly),
        cookie_domains=read_cookie_domains(scope, assembly),
        cookie_paths=read_cookie_paths(scope, assembly),
        cookie_flags=read_cookie_flags(scope, assembly),
        bind=assembly.read(read_bind, bind) if bind is not None else None,
        max_temp_file_octets=_read_temp_file_limit(scope, assembly),
        force_ranges=scope.flag("proxy_force_ranges"),
        pass_trailers=scope.flag("proxy_pass_trailers"),
        ssl=read_proxy_ssl(scope, passed, assembly),
    )


def read_proxy_pass(scope: Scope, place: Place, assembly: Assembly) -> ProxyPass | None:
    """Return this level's own `proxy_pass`; None where there is none, or a wrong one."""
    directive = scope.own_one("proxy_pass")
    if directive is None:
        return None
    passed = assembly.read(_read_url, directive)
    if passed is not None and passed.uri is not None and not place.may_replace_uri:
        assembly.fault(_NO_URI, directive.arg_positions[0])
        return None
    return passed


def _read_url(directive: Directive, assembly: Assembly) -> ProxyPass:
    url, at = directive.args[0], directive.arg_positions[0]
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    is_right = bool(separator) and scheme in _PORTS
    if "$" in url:
        known = scheme if is_right else "http"
        return ProxyPass(known, "", 0, "", at, url, template=assembly.template(url))
    if not is_right:
        raise Wrong("invalid URL prefix", at)
    try:
        address = parse_address(rest, _PORTS[scheme], with_uri=True)
    except ValueError as error:
        raise Wrong(f'{error} in upstream "{rest}"', at) from None
    block = assembly.upstreams.get(address.host.lower())
    if block is not None and address.port_text:
        message = f'upstream "{address.host}" may not have port {address.port}'
        raise Wrong(message, at)
    return ProxyPass(
        scheme=scheme,
        host=address.host,
        port=address.port,
        authority=_authority(address, _PORTS[scheme]),
        url=url,
        position=at,
        uri=address.uri or None,
        upstream=block.args[0] if block is not None else None,
        unix=address.unix,
    )


def _authority(address: Address, default_port: int) -> str:
    """Return nginx's $proxy_host: the port only where it is not the scheme's own."""
    if address.unix is not None:
        return "localhost"
    if not address.port_text or address.port == default_port:
        return address.host
    return f"{address.host}:{address.port_text}"


def _read_template(name: str, scope: Scope, assembly: Assembly) -> Template | None:
    directive = scope.one(name)
    return assembly.template(directive.args[0]) if directive is not None else None


def read_bind(directive: Directive, assembly: Assembly) -> ProxyBind | None:
    """Return the address to connect from; None for `off`."""
    text, *options = directive.args
    if not options and text == "off":
        return None
    if options and options[0] != "transparent":
        raise Wrong(f'invalid parameter "{options[0]}"', directive.arg_positions[1])
    if "$" not in text and split_local(text) is None:
        raise Wrong(f'invalid address "{text}"', directive.arg_positions[0])
    return ProxyBind(assembly.template(text), is_transparent=bool(options))


def _read_temp_file_limit(scope: Scope, assembly: Assembly) -> int:
    """Return how many octets of a response a file may hold, 0 for no file."""
    directive = scope.one("proxy_max_temp_file_size")
    if directive is None:
        return _DEFAULT_TEMP_FILE_OCTETS
    octets = parse_size(directive.args[0])
    buffer_octets = max(scope.octets("proxy_buffer_size"), _buffers_of(scope).octets)
    if 0 < octets < buffer_octets:
        assembly.fault(_TEMP_FILE_TOO_SMALL, directive.position)
    return octets


def _buffers_of(scope: Scope) -> Buffers:
    count, octets = (scope.args("proxy_buffers") or ())[:2]
    return Buffers(parse_number(count), parse_size(octets))


def _read_buffers(scope: Scope, assembly: Assembly) -> Buffers:
    """Return `proxy_buffers`, after nginx's checks that all sizes fit together."""
    buffers = _buffers_of(scope)
    lines = [scope.one(name) for name in ("proxy_busy_buffers_size", *_BUFFER_SIZES)]
    line = next((line for line in lines if line is not None), None)
    if line is None:
        return buffers
    greatest = max(buffers.octets, scope.octets("proxy_buffer_size"))
    busy_octets = parse_size(lines[0].args[0]) if lines[0] is not None else 2 * greatest
    if buffers.count < 2:
        assembly.fault('there must be at least 2 "proxy_buffers"', line.position)
    elif busy_octets < greatest:
        assembly.fault(_BUSY_TOO_SMALL, line.position)
    elif busy_octets > (buffers.count - 1) * buffers.octets:
        assembly.fault(_BUSY_TOO_GREAT, line.position)
    return buffers


def _read_fields(scope: Scope, assembly: Assembly) -> tuple[tuple[str, Template], ...]:
    """Return the fields sent upstream, Host first since 1.29.7, then those set, then defaults.

    Until then Host was a default like the others, and "Connection: close" was one.
    """
    own = [(line.args[0], line.args[1]) for line in scope.effective("proxy_set_header")]
    hosts = [field for field in own if field[0].lower() == "host"]
    if assembly.version >= _KEEPALIVE_SINCE:
        host = hosts[-1] if hosts else ("Host", "$proxy_host")
        fields = [host, *(field for field in own if field[0].lower() != "host")]
        defaults = list(_DEFAULT_FIELDS)
    else:
        fields = own
        defaults = [("Host", "$proxy_host"), ("Connection", "close"), *_DEFAULT_FIELDS[2:]]
    names = {name.lower() for name, _ in fields}
    fields += [field for field in defaults if field[0].lower() not in names]
    return tuple((name, assembly.template(value)) for name, value in fields)


def _read_hidden(scope: Scope) -> frozenset[str]:
    """Return what is kept from the client: nginx's list and `hide`, less `pass`."""
    hidden = {line.args[0].lower() for line in scope.effective("proxy_hide_header")}
    passed = {line.args[0].lower() for line in scope.effective("proxy_pass_header")}
    return (_HIDDEN_FIELDS | hidden) - passed


def _read_choices(scope: Scope, name: str) -> frozenset[str]:
    """Return the words of all lines of a level, or the default's."""
    lines = scope.effective(name)
    words = [word for line in lines for word in line.args] or scope.args(name) or ()
    return frozenset(word.lower() for word in words)
