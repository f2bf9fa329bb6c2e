"""Writes the tables of docs/nginx.md from the table of directives: `make docs`.

With --check it writes nothing, and ends with 1 where the page is not what it would write.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from upwire.conf.directives import TABLE, Context, DirectiveSpec

PAGE = Path(__file__).with_name("nginx.md")
BEGIN, END = "<!-- begin directives -->", "<!-- end directives -->"

_PLACES = {
    Context.MAIN: "main",
    Context.EVENTS: "events",
    Context.HTTP: "http",
    Context.SERVER: "server",
    Context.LOCATION: "location",
    Context.UPSTREAM: "upstream",
    Context.SERVER_IF: "if in server",
    Context.LOCATION_IF: "if in location",
    Context.LIMIT_EXCEPT: "limit_except",
    Context.STREAM: "stream",
    Context.STREAM_SERVER: "stream server",
    Context.STREAM_UPSTREAM: "stream upstream",
    Context.MAIL: "mail",
    Context.MAIL_SERVER: "mail server",
}

_MEMORY = "sizes nginx's memory, and there is no such memory here"
_READING = "says how nginx reads files; they are read in the ordinary way"
_FILE_CACHE = "each file is opened anew"
_CACHE = "nothing is stored: every request goes to the upstream"
_SENDING = "a matter of packets; octets are sent as soon as they are there"
_LINGERING = "the defaults of nginx hold"
_SOCKET = "the system's own size holds"

# What holds where a directive is accepted and not acted on; unacted of its row comes first.
_NOTES: dict[str, str] = {
    **dict.fromkeys(
        (
            *("variables_hash_max_size", "variables_hash_bucket_size"),
            *("server_names_hash_max_size", "server_names_hash_bucket_size"),
            *("types_hash_max_size", "types_hash_bucket_size"),
            *("connection_pool_size", "request_pool_size"),
            *("map_hash_max_size", "map_hash_bucket_size"),
            *("proxy_headers_hash_max_size", "proxy_headers_hash_bucket_size"),
            *("gzip_buffers", "gunzip_buffers", "gzip_window", "gzip_hash"),
            *("postpone_gzipping", "gzip_no_buffer"),
            *("ssi_ignore_recycled_buffers", "ssi_min_file_chunk"),
            *("proxy_busy_buffers_size", "proxy_temp_file_write_size"),
        ),
        _MEMORY,
    ),
    **dict.fromkeys(
        (
            *("sendfile", "sendfile_max_chunk", "aio", "aio_write", "read_ahead"),
            *("directio", "directio_alignment"),
        ),
        _READING,
    ),
    **dict.fromkeys(
        (
            *("open_file_cache", "open_file_cache_valid", "open_file_cache_min_uses"),
            *("open_file_cache_errors", "open_file_cache_events"),
        ),
        _FILE_CACHE,
    ),
    **dict.fromkeys(
        ("tcp_nopush", "tcp_nodelay", "send_lowat", "postpone_output", "proxy_send_lowat"),
        _SENDING,
    ),
    **dict.fromkeys(("lingering_close", "lingering_time", "lingering_timeout"), _LINGERING),
    **dict.fromkeys(("proxy_socket_rcvbuf", "proxy_socket_sndbuf"), _SOCKET),
    **dict.fromkeys(("proxy_store", "proxy_store_access"), "answers are passed on and not stored"),
    **dict.fromkeys(("msie_padding", "msie_refresh"), "for a browser that is no more"),
    **dict.fromkeys(
        ("use", "multi_accept", "accept_mutex", "accept_mutex_delay"),
        "the event loop is asyncio's, or uvloop's",
    ),
    **dict.fromkeys(
        ("ssl_ocsp", "ssl_ocsp_responder", "ssl_ocsp_cache"),
        "whether client certificates are revoked is NOT asked; `ssl_crl` is acted on",
    ),
    **dict.fromkeys(
        ("ssl_conf_command", "proxy_ssl_conf_command"), "OpenSSL's commands are not passed to it"
    ),
    **dict.fromkeys(
        ("ssl_certificate_cache", "proxy_ssl_certificate_cache"),
        "certificates from variables are read for each handshake",
    ),
    "client_body_early_read": "contents are read when they are asked for",
    "keepalive_time": "a connection persists for as long as it is used, and `keepalive_requests`",
    "keepalive_min_timeout": "a worker that ends gives each idle connection half a second",
    "keepalive_disable": "old browsers' connections persist too",
    "reset_timedout_connection": "connections end with FIN, not with RST",
    "early_hints": "a 103 of an upstream is dropped",
    "post_action": "no request follows another",
    "debug_connection": "`error_log ... debug` is for all clients",
    "proxy_pass_trailers": "trailers of an upstream are dropped, as by default",
    "proxy_temp_path": "contents are kept where the system keeps temporary files",
    "ssl_certificate_compression": "certificates are sent as they are",
    "ssl_session_ticket_key": "keys are made at the start, and the same in all workers",
    "ssl_ech_file": "hellos are not encrypted",
    "ssl_early_data": "requests wait for the end of the handshake",
    "timer_resolution": "time is read when it is asked for",
    "lock_file": "workers need no lock to accept",
    "debug_points": "for those who debug nginx",
    "env": "the environment stays as it is",
    "load_module": "nginx's modules cannot be loaded; those of this table are known",
}

_NO_FIELD = "what it adds to or takes from responses is missing"
_NO_ANSWER = "where it is to answer, the answer is 501, and the error log says why"
_NO_PORT = "its ports are not opened"
_MODULE_NOTES: dict[str, str] = {
    "ngx_http_browser_module": "its variables are empty",
    "ngx_http_copy_filter_module": _MEMORY,
    "ngx_http_dav_module": "PUT, DELETE, MKCOL, COPY and MOVE of files get 405",
    "ngx_http_degradation_module": "requests are answered whatever memory is in use",
    "ngx_http_fastcgi_module": _NO_ANSWER,
    "ngx_http_flv_module": _NO_ANSWER,
    "ngx_http_geoip_module": "its variables are empty",
    "ngx_http_grpc_module": _NO_ANSWER,
    "ngx_http_image_filter_module": "images are served as they are",
    "ngx_http_memcached_module": _NO_ANSWER,
    "ngx_http_mp4_module": _NO_ANSWER,
    "ngx_http_perl_module": _NO_ANSWER + "; variables of `perl_set` are empty",
    "ngx_http_random_index_module": "`index` holds",
    "ngx_http_referer_module": "referers are NOT checked: `$invalid_referer` is empty",
    "ngx_http_scgi_module": _NO_ANSWER,
    "ngx_http_secure_link_module": "links are NOT checked: `$secure_link` is empty",
    "ngx_http_slice_filter_module": "an upstream is asked for whole contents",
    "ngx_http_tunnel_module": _NO_ANSWER,
    "ngx_http_upstream_least_time_module": "peers take turns",
    "ngx_http_upstream_sticky_module": "peers take turns",
    "ngx_http_userid_filter_module": _NO_FIELD,
    "ngx_http_uwsgi_module": _NO_ANSWER,
    "ngx_http_v2_module": "clients are told of HTTP/1.1 alone, which all of them speak",
    "ngx_http_v3_module": "clients are told of HTTP/1.1 alone, which all of them speak",
    "ngx_http_xslt_filter_module": "XML is served as it is",
    "ngx_epoll_module": _READING,
    "ngx_google_perftools_module": "nothing is profiled",
    "ngx_openssl_cache_module": "certificates are read at each start and reload",
    "ngx_openssl_module": "cryptography is OpenSSL's own",
    "ngx_quic_bpf_module": "there is no QUIC",
    "ngx_regex_module": "expressions are compiled by PCRE2's JIT where it has one",
    "ngx_thread_pool_module": _READING,
}


def render() -> list[str]:
    """Return the lines between the marks: counts, then a section a module."""
    modules = _by_module()
    rows = [row for found in modules.values() for row in found]
    acted = sum(row.acted for row in rows)
    rest = len(rows) - acted
    lines = ["", f"{acted} of nginx's {len(rows)} directives are acted on, and {rest} accepted."]
    for module, found in sorted(modules.items(), key=_order):
        lines += ["", f"### {module}", "", *_section(module, found)]
    return [*lines, ""]


def note(row: DirectiveSpec) -> str:
    """Return what holds where a directive is not acted on; raises KeyError where nobody said."""
    if row.name in _NOTES and row.module not in _MODULE_NOTES:
        return _NOTES[row.name]
    if row.name.startswith("proxy_cache") or row.name == "proxy_no_cache":
        return _CACHE
    if row.module in _MODULE_NOTES:
        return _MODULE_NOTES[row.module]
    if row.unacted:
        return row.unacted
    if row.module.startswith(("ngx_stream_", "ngx_mail_")):
        return _NO_PORT
    raise KeyError(row.name)


def with_tables(page: str) -> str:
    """Return the page with what stands between its marks replaced."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return "\n".join([before + BEGIN, *render(), END + after])


def main(args: Sequence[str]) -> int:
    """Write the page, or check it."""
    page = PAGE.read_text("utf-8")
    made = with_tables(page)
    if "--check" in args:
        return int(page != made)
    PAGE.write_text(made, "utf-8")
    return 0


def _by_module() -> dict[str, list[DirectiveSpec]]:
    modules: dict[str, list[DirectiveSpec]] = {}
    for rows in TABLE.values():
        for row in rows:
            modules.setdefault(row.module, []).append(row)
    return modules


def _order(item: tuple[str, list[DirectiveSpec]]) -> tuple[bool, str]:
    """Modules that do something come first."""
    module, rows = item
    return not any(row.acted for row in rows), module


def _section(module: str, rows: list[DirectiveSpec]) -> Iterator[str]:
    if not any(row.acted for row in rows):
        yield f"Accepted: {note(rows[0])}."
        yield ""
        yield ", ".join(f"`{row.name}`{_since(row, ' (', ')')}" for row in rows)
        return
    yield "| directive | in | since | Upwire |"
    yield "| --- | --- | --- | --- |"
    for row in rows:
        does = "acts on it" if row.acted else f"accepts it: {note(row)}"
        yield f"| `{row.name}` | {_places(row)} | {_since(row)} | {does} |"


def _since(row: DirectiveSpec, before: str = "", after: str = "") -> str:
    if row.since is None:
        return ""
    return before + ".".join(map(str, row.since)) + after


def _places(row: DirectiveSpec) -> str:
    if row.contexts == ~Context(0):
        return "everywhere"
    return ", ".join(name for context, name in _PLACES.items() if row.contexts & context)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
