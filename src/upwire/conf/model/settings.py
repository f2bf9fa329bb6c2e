"""What holds for a request that one level answers: LocationSettings."""

from __future__ import annotations

from dataclasses import replace

from upwire.conf.model.access import (
    effective_access,
    effective_auth_basic,
    effective_real_ip,
)
from upwire.conf.model.addition import read_addition
from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.auth_request import read_auth_request
from upwire.conf.model.autoindex import read_autoindex
from upwire.conf.model.charset import read_charset
from upwire.conf.model.coding import read_gzip, read_sub_filter
from upwire.conf.model.headers import effective_expires, effective_fields
from upwire.conf.model.limits import effective_limit_conn, effective_limit_req
from upwire.conf.model.logs import (
    effective_access_logs,
    read_error_log,
    read_open_log_file_cache,
)
from upwire.conf.model.mirror import read_mirror
from upwire.conf.model.proxy import read_proxy
from upwire.conf.model.proxy_rewrites import Place
from upwire.conf.model.resolver import effective_resolver
from upwire.conf.model.ssi import read_ssi
from upwire.conf.model.try_files import read_try_files
from upwire.conf.model.types import (
    ClientBody,
    ErrorPage,
    LocationSettings,
    MatchKind,
)
from upwire.conf.model.types.try_files import TryFiles
from upwire.conf.syntax import Directive
from upwire.conf.values import parse_number, parse_time
from upwire.conf.variables import Template

_HANDLERS = (
    *("proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"),
    *("tunnel_pass", "stub_status", "empty_gif", "flv", "mp4", "perl"),
)
_DEFAULT_TYPES = {"html": "text/html", "gif": "image/gif", "jpg": "image/jpeg"}
_DEFAULT_ROOT, _DEFAULT_INDEX = "html", "index.html"
_BAD_REQUEST_KINDS = (494, 495, 496, 497)  # nginx's own statuses, which it answers as 400
_DEFAULT_KEEPALIVE_S = 75.0


def read_settings(scope: Scope, place: Place, assembly: Assembly) -> LocationSettings:
    """Merge one level with those around it."""
    root, alias = _read_root(scope, assembly)
    settings = LocationSettings(
        proxy=read_proxy(scope, place, assembly),
        handler=_read_handler(scope),
        root=root,
        alias=alias,
        index=_read_index(scope, assembly),
        types=_read_types(scope),
        default_type=scope.text("default_type"),
        access_logs=effective_access_logs(scope, assembly),
        error_logs=assembly.read_all(read_error_log, scope.effective("error_log")),
        open_log_file_cache=read_open_log_file_cache(scope, assembly),
        error_pages=_read_error_pages(scope, assembly),
        server_tokens=scope.text("server_tokens").lower(),
        etag=scope.flag("etag"),
        absolute_redirect=scope.flag("absolute_redirect"),
        server_name_in_redirect=scope.flag("server_name_in_redirect"),
        port_in_redirect=scope.flag("port_in_redirect"),
        recursive_error_pages=scope.flag("recursive_error_pages"),
        log_not_found=scope.flag("log_not_found"),
        mirror=read_mirror(scope, assembly),
        try_files=_read_try_files(scope, assembly),
        rewrite_log=scope.flag("rewrite_log"),
        uninitialized_variable_warn=scope.flag("uninitialized_variable_warn"),
        log_subrequest=scope.flag("log_subrequest"),
    )
    for read in (_with_connection, _with_access, _with_filters):
        settings = read(settings, scope, assembly)
    return settings


def _with_connection(
    settings: LocationSettings, scope: Scope, assembly: Assembly
) -> LocationSettings:
    """Add what holds for the client's connection and its content, and for names."""
    keepalive_s, header_s = _read_keepalive(scope, assembly)
    return replace(
        settings,
        client_body=_read_client_body(scope),
        client_max_body_octets=scope.offset("client_max_body_size"),
        client_body_timeout_s=scope.time_s("client_body_timeout"),
        send_timeout_s=scope.time_s("send_timeout"),
        autoindex=read_autoindex(scope),
        chunked_transfer_encoding=scope.flag("chunked_transfer_encoding"),
        limit_rate=_read_template(scope, "limit_rate", assembly),
        limit_rate_after=_read_template(scope, "limit_rate_after", assembly),
        keepalive_timeout_s=keepalive_s,
        keepalive_header_s=header_s,
        keepalive_requests=scope.number("keepalive_requests"),
        keepalive_time_s=scope.time_s("keepalive_time"),
        lingering_timeout_s=scope.time_s("lingering_timeout"),
        tcp_nodelay=scope.flag("tcp_nodelay"),
        resolver=effective_resolver(scope, assembly),
        resolver_timeout_s=scope.time_s("resolver_timeout"),
    )


def _with_access(settings: LocationSettings, scope: Scope, assembly: Assembly) -> LocationSettings:
    """Add who is let in, and how often."""
    return replace(
        settings,
        internal=bool(scope.own("internal")),
        satisfy=scope.text("satisfy").lower(),
        access=effective_access(scope, assembly),
        auth_basic=effective_auth_basic(scope, assembly),
        auth_request=read_auth_request(scope, assembly),
        auth_delay_s=scope.time_s("auth_delay"),
        real_ip=effective_real_ip(scope, assembly),
        limit_req=effective_limit_req(scope, assembly),
        limit_conn=effective_limit_conn(scope, assembly),
    )


def _with_filters(settings: LocationSettings, scope: Scope, assembly: Assembly) -> LocationSettings:
    """Add what becomes of a response on its way out."""
    return replace(
        settings,
        addition=read_addition(scope),
        charset=read_charset(scope, assembly),
        ssi=read_ssi(scope),
        sub_filter=read_sub_filter(scope, assembly),
        gzip=read_gzip(scope, assembly),
        expires=effective_expires(scope, assembly),
        add_headers=effective_fields(scope, "add_header", assembly),
        add_trailers=effective_fields(scope, "add_trailer", assembly),
        max_ranges=_read_max_ranges(scope),
        if_modified_since=scope.text("if_modified_since").lower(),
        subrequest_output_octets=scope.octets("subrequest_output_buffer_size"),
    )


def _read_template(scope: Scope, name: str, assembly: Assembly) -> Template | None:
    directive = scope.one(name)
    return assembly.template(directive.args[0]) if directive is not None else None


def _read_max_ranges(scope: Scope) -> int | None:
    args = scope.args("max_ranges")
    return parse_number(args[0]) if args else None


def _read_client_body(scope: Scope) -> ClientBody:
    path = scope.one("client_body_temp_path")
    return ClientBody(
        buffer_octets=scope.octets("client_body_buffer_size"),
        in_file_only=scope.text("client_body_in_file_only").lower(),
        temp_path=path.args[0] if path is not None else None,
    )


def _read_try_files(scope: Scope, assembly: Assembly) -> TryFiles | None:
    directive = scope.own_one("try_files")
    return assembly.read(read_try_files, directive) if directive is not None else None


def _read_handler(scope: Scope) -> str | None:
    """Return the directive that answers: where one level has several, the last one does."""
    found = [directive.name for directive in scope.directives if directive.name in _HANDLERS]
    return found[-1] if found else None


def _read_root(scope: Scope, assembly: Assembly) -> tuple[Template | None, Template | None]:
    """Return root and alias, of which one is None: that of the innermost level that has either."""
    root, alias = scope.one("root"), scope.one("alias")
    if alias is not None and (root is None or scope.level(alias) <= scope.level(root)):
        return None, assembly.template(alias.args[0])
    text = root.args[0] if root is not None else _DEFAULT_ROOT
    return assembly.template(text.removesuffix("/") if len(text) > 1 else text), None


def check_root(directive: Directive, assembly: Assembly) -> bool:
    """Refuse the variables that root itself defines."""
    for name in ("document_root", "realpath_root"):
        text = directive.args[0]
        if f"${name}" in text or f"${{{name}}}" in text:
            message = f'the ${name} variable cannot be used in the "{directive.name}" directive'
            raise Wrong(message, directive.arg_positions[0])
    return True


def check_root_and_alias(scope: Scope, place: Place, assembly: Assembly) -> None:
    """A location has root or alias, and a named one no alias."""
    root, alias = scope.own_one("root"), scope.own_one("alias")
    if alias is not None and place.kind is MatchKind.NAMED:
        message = 'the "alias" directive cannot be used inside the named location'
        assembly.fault(message, alias.position)
    if root is not None and alias is not None:
        first, second = sorted((root, alias), key=lambda directive: directive.position.order)
        message = f'"{second.name}" directive is duplicate, '
        message += f'"{first.name}" directive was specified earlier'
        assembly.fault(message, second.position)


def _read_index(scope: Scope, assembly: Assembly) -> tuple[Template, ...]:
    names = [name for line in scope.effective("index") for name in line.args]
    return tuple(assembly.template(name) for name in names or (_DEFAULT_INDEX,))


def check_index(directive: Directive, assembly: Assembly) -> bool:
    """Refuse an empty name, and warn of an absolute one before others."""
    for name, at in zip(directive.args, directive.arg_positions, strict=True):
        if not name:
            raise Wrong('index "" in "index" directive is invalid', at)
        if name.startswith("/") and at is not directive.arg_positions[-1]:
            assembly.warn('only the last index in "index" directive should be absolute', at)
    return True


def _read_types(scope: Scope) -> dict[str, str]:
    """Return media types by extension, in lower case; a level's blocks add up."""
    blocks = scope.effective("types")
    if not blocks:
        return dict(_DEFAULT_TYPES)
    return {
        extension.lower(): line.name
        for block in blocks
        for line in block.block or ()
        for extension in line.args
    }


def check_types(directive: Directive, assembly: Assembly) -> bool:
    """Warn of an extension that one block gives two media types."""
    seen: dict[str, str] = {}
    for line in directive.block or ():
        for extension, at in zip(line.args, line.arg_positions, strict=True):
            if extension in seen:
                message = f'duplicate extension "{extension}", content type: "{line.name}", '
                message += f'previous content type: "{seen[extension]}"'
                assembly.warn(message, at)
            seen[extension] = line.name
    return True


def _read_keepalive(scope: Scope, assembly: Assembly) -> tuple[float, int | None]:
    directive = scope.one("keepalive_timeout")
    times = assembly.read(read_keepalive_timeout, directive) if directive is not None else None
    return times or (_DEFAULT_KEEPALIVE_S, None)


def read_keepalive_timeout(directive: Directive, assembly: Assembly) -> tuple[float, int | None]:
    """Return how long an idle connection stays, and what `Keep-Alive` tells the client."""
    try:
        timeout_s = parse_time(directive.args[0])
        header_s = [int(parse_time(text, least_is_seconds=True)) for text in directive.args[1:]]
    except ValueError:
        message = '"keepalive_timeout" directive invalid value'
        raise Wrong(message, directive.arg_positions[0]) from None
    return timeout_s, header_s[0] if header_s else None


def _read_error_pages(scope: Scope, assembly: Assembly) -> tuple[ErrorPage, ...]:
    lines = assembly.read_all(read_error_page, scope.effective("error_page"))
    return tuple(page for line in lines for page in line)


def read_error_page(directive: Directive, assembly: Assembly) -> tuple[ErrorPage, ...]:
    """Return what one line says of each of its statuses."""
    *statuses, uri = directive.args
    answer: int | None = None
    if statuses[-1].startswith("="):
        text = statuses.pop()
        if not statuses or (text != "=" and not _is_number(text[1:])):
            raise Wrong(f'invalid value "{text}"', directive.arg_positions[len(statuses)])
        answer = int(text[1:] or 0)
    template = assembly.template(uri)
    pages = []
    for text, at in zip(statuses, directive.arg_positions, strict=False):
        if not _is_number(text) or int(text) == 499:
            raise Wrong(f'invalid value "{text}"', at)
        status = int(text)
        if not 300 <= status <= 599:
            raise Wrong(f'value "{text}" must be between 300 and 599', at)
        kept = 400 if answer is None and status in _BAD_REQUEST_KINDS else answer
        pages.append(ErrorPage(status, template, kept))
    return tuple(pages)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19
