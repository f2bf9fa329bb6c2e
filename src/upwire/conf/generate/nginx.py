"""nginx.conf for a deployment: a whole file, or what stands in conf.d for one site."""

from __future__ import annotations

from collections.abc import Iterator

from upwire.conf.generate.deployment import KEEPALIVE_DEFAULT_SINCE, Deployment
from upwire.conf.generate.lines import Block, Line, quote, render, wrap_comment
from upwire.conf.generate.server import named_server, other_servers, redirect_server
from upwire.conf.generate.values import Backend

_CONNECTIONS = 8192
_FILES = 20_000
_LONG_NAME = 40  # octets; nginx's own buckets have 64, less what it keeps beside a name
_LOG_FORMAT = """\
'$remote_addr [$time_iso8601] $host "$request_method $uri" $status '
'time=$request_time upstream=$upstream_addr '
'up=$upstream_bytes_sent down=$upstream_bytes_received'"""
_BELONGS_ABOVE = (
    " What holds for all sites belongs into nginx.conf: "
    f"worker_connections {_CONNECTIONS} (F70), worker_rlimit_nofile {_FILES} (F71), "
    "worker_shutdown_timeout 1h (F25)."
)
_TYPES = (
    ("text/html", "html htm"),
    ("text/css", "css"),
    ("text/plain", "txt"),
    ("application/javascript", "js mjs"),
    ("application/json", "json map webmanifest"),
    ("application/wasm", "wasm"),
    ("image/svg+xml", "svg"),
    ("image/png", "png"),
    ("image/jpeg", "jpg jpeg"),
    ("image/gif", "gif"),
    ("image/webp", "webp"),
    ("image/x-icon", "ico"),
    ("font/woff2", "woff2"),
)


def nginx_conf(deployment: Deployment) -> str:
    """Return a whole nginx.conf."""
    http = [
        *_types(deployment),
        *_log_format("ws"),
        Line("access_log /var/log/nginx/access.log ws;"),
        *_http(deployment, "ws", is_whole=True),
    ]
    entries = [*_main(), Block("http", http)]
    return _header(deployment) + render(entries)


def site_conf(deployment: Deployment) -> str:
    """Return what belongs into conf.d or sites-available: all names are the site's own."""
    prefix = f"ws_{deployment.slug}"
    entries = [
        *_log_format(prefix),
        *_http(deployment, prefix, is_whole=False),
    ]
    return _header(deployment, _BELONGS_ABOVE) + render(entries)


def _header(deployment: Deployment, remark: str = "") -> str:
    backends = ", ".join(one.address for one in deployment.backends)
    lines = wrap_comment(
        f"WebSockets of {', '.join(deployment.hosts)} at {deployment.path}, answered by {backends}."
    )
    lines += wrap_comment(
        "Written by `upwire config`. F01 and the like are the faults that a line avoids; "
        f"`upwire check` looks for them.{remark}"
    )
    if deployment.version is not None:
        lines.append(f"# upwire: nginx {'.'.join(map(str, deployment.version[:2]))}")
    return "\n".join([*lines, "", ""])


def _main() -> Iterator[Line | Block]:
    yield Line("worker_processes auto;", "A worker for each processor.")
    yield Line(
        f"worker_rlimit_nofile {_FILES};",
        "A connection is a descriptor, and a tunnel is two connections: without this the system's "
        "limit, often 1024, ends accepting (F71).",
    )
    yield Line(
        "worker_shutdown_timeout 1h;",
        "After a reload the old workers stay for their open tunnels. Without this they stay for "
        "days (F25); with a few seconds, all clients reconnect at once (F26).",
    )
    yield Line("pid /run/nginx.pid;", "Where `nginx -s` and systemd look for it.")
    yield Line(
        "error_log /var/log/nginx/error.log info;",
        "Why a tunnel ended is told at info and not below (F20).",
    )
    yield Block(
        "events",
        [Line(f"worker_connections {_CONNECTIONS};", "Two for each tunnel of a worker (F70).")],
    )


def _types(deployment: Deployment) -> Iterator[Line | Block]:
    if deployment.static is None:
        return
    lines = [Line(f"{media_type} {endings};") for media_type, endings in _TYPES]
    yield Block("types", lines, "What browsers are told of the files.")
    yield Line("default_type application/octet-stream;")


def _log_format(name: str) -> Iterator[Line | Block]:
    yield Line(
        f"log_format {name} {_LOG_FORMAT};",
        "A tunnel is logged when it ends: how long it was open, and its octets both ways (F86). "
        "The query is left out: tokens are often in it (F57).",
    )


def _http(deployment: Deployment, prefix: str, *, is_whole: bool) -> Iterator[Line | Block]:
    if max(len(host) for host in deployment.hosts) > _LONG_NAME:
        yield Line(
            "server_names_hash_bucket_size 512;", "nginx does not start with a name so long (F87)."
        )
    if any(len(origin) > _LONG_NAME for origin in deployment.origins):
        yield Line("map_hash_bucket_size 512;", "Nor with an origin so long.")
    yield from _handshake_maps(prefix)
    yield from _origin_maps(deployment, prefix)
    yield from _rate_zone(deployment, prefix)
    yield from _route_maps(deployment, prefix)
    yield _upstream(deployment, prefix)
    if is_whole:
        yield from other_servers(deployment)
    yield from redirect_server(deployment)
    yield named_server(deployment, prefix, is_whole=is_whole)


def _handshake_maps(prefix: str) -> Iterator[Line | Block]:
    yield Block(
        f'map "$request_method $server_protocol $http_upgrade" ${prefix}_upgrade',
        [Line("default '';"), Line(r'"~*^GET HTTP/1\.1 websocket$" websocket;')],
        "What goes upstream as Upgrade: of a WebSocket's handshake (RFC 6455 §4.1), and nothing "
        "else. nginx would pass on h2c as well, and with it requests that no location sees (F12); "
        "it checks neither method nor version (F11). The case of the word is free (F39).",
    )
    yield Block(
        f"map ${prefix}_upgrade ${prefix}_connection",
        [Line("default '';"), Line("websocket upgrade;")],
        "What goes upstream as Connection. Requests that are no handshakes get none (F05, F08): "
        "`close` would end the connections that are kept to the backend (F07).",
    )


def _origin_maps(deployment: Deployment, prefix: str) -> Iterator[Line | Block]:
    if not deployment.origins:
        return
    yield Block(
        f"map $http_origin ${prefix}_is_foreign",
        [
            Line("default 1;"),
            Line("'' 0;", "Not a browser: such clients can send any Origin that they like."),
            *(Line(f'"{origin}" 0;') for origin in deployment.origins),
        ],
        "The pages that may open a WebSocket: browsers send cookies along from any page "
        "(cross-site WebSocket hijacking, RFC 6455 §10.2).",
    )
    yield Block(
        f"map $http_upgrade ${prefix}_is_refused",
        [Line(f"default ${prefix}_is_foreign;"), Line("'' 0;")],
        "Only handshakes are refused for it.",
    )


def _rate_zone(deployment: Deployment, prefix: str) -> Iterator[Line | Block]:
    rate = deployment.rate
    if rate is None:
        return
    yield Block(
        f"map $http_upgrade ${prefix}_client",
        [Line("default $binary_remote_addr;"), Line("'' '';")],
        "Who is counted: the address that a handshake comes from. An empty key is not counted.",
    )
    zone = f"{prefix}_handshakes"
    yield Line(
        f"limit_req_zone ${prefix}_client zone={zone}:10m rate={rate.count}r/{rate.unit};",
        "Handshakes of one address; messages inside a tunnel are never counted (F59).",
    )


def _route_maps(deployment: Deployment, prefix: str) -> Iterator[Line | Block]:
    if not deployment.has_route_cookie:
        return
    attributes = "; Path=/; HttpOnly; SameSite=Lax" + ("; Secure" if deployment.is_tls else "")
    yield Block(
        f"map $cookie_{prefix}_route ${prefix}_route",
        [Line("default $request_id;"), Line('"~^[0-9a-f]+$" $' + f"cookie_{prefix}_route;")],
        "What a client is known by: the cookie that it was given. Its address would send all "
        "behind one NAT or CDN to the same backend (F74).",
    )
    yield Block(
        f"map $cookie_{prefix}_route ${prefix}_route_cookie",
        [
            Line(f'default "{prefix}_route=$request_id{attributes}";'),
            Line('"~^[0-9a-f]+$" ' + "'';"),
        ],
        "The cookie, for those that have none.",
    )


def _upstream(deployment: Deployment, prefix: str) -> Block:
    return Block(f"upstream {prefix}_backend", list(_peers(deployment, prefix)))


def _peers(deployment: Deployment, prefix: str) -> Iterator[Line]:
    yield Line(
        f"zone {prefix}_backend 64k;",
        "All workers count connections and failures together.",
    )
    if deployment.resolver is not None:
        yield Line(
            f"resolver {deployment.resolver};", "Who is asked for the addresses of the names below."
        )
    yield from _method(deployment, prefix)
    reason = (
        "" if not deployment.is_sticky else "One slow answer is no reason to move clients (F75)."
    )
    for backend in deployment.backends:
        yield _peer(backend, deployment, reason)
        reason = ""
    yield from _kept(deployment)


def _method(deployment: Deployment, prefix: str) -> Iterator[Line]:
    """Yield how a backend is chosen; keepalive comes later, or it would be lost (F77)."""
    if deployment.has_route_cookie:
        yield Line(
            f"hash ${prefix}_route consistent;",
            "The same client, the same backend: polling transports need it (F73). With "
            "`consistent`, few clients move when a backend is added.",
        )
    elif deployment.has_several_peers:
        yield Line(
            "least_conn;",
            "Tunnels last: in turn, a backend that was just added would stay empty (F76).",
        )
    if deployment.has_sticky_cookie:
        secure = " secure" if deployment.is_tls else ""
        yield Line(
            f"sticky cookie {prefix}_route httponly samesite=lax{secure} path=/;",
            "The same client, the same backend: polling transports need it (F73). A cookie tells "
            "clients behind one address apart (F74).",
        )


def _peer(backend: Backend, deployment: Deployment, reason: str) -> Line:
    words = ["server", quote(backend.address)]
    if deployment.has_several_peers:
        words.append("max_fails=3 fail_timeout=10s" if deployment.is_sticky else "fail_timeout=10s")
    if not backend.is_name:
        return Line(f"{' '.join(words)};", reason)
    if deployment.resolver is not None:
        words.append("resolve")
        return Line(
            f"{' '.join(words)};",
            f"{reason} Its address is asked for again when it expires (F40).".strip(),
        )
    return Line(
        f"{' '.join(words)};",
        f"{reason} nginx has to know the name when it starts.".strip(),
        "F40 a reload asks for the address again",
    )


def _kept(deployment: Deployment) -> Iterator[Line]:
    if deployment.is_since(KEEPALIVE_DEFAULT_SINCE):
        return
    yield Line(
        "keepalive 32;",
        "Idle connections to the backend are kept for requests that are no handshakes.",
    )
