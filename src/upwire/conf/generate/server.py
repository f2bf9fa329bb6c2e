"""The servers of a generated nginx.conf and their locations."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from upwire.conf.generate.deployment import HTTP2_DIRECTIVE_SINCE, Certificate, Deployment
from upwire.conf.generate.lines import Block, Line, quote
from upwire.conf.generate.values import nginx_time

_LONG_IDLE_S = 3600
_HTTP2 = (
    "HTTP/2 is for pages. nginx has no WebSockets over it: browsers open a connection in HTTP/1.1 "
    "for them (F81)."
)
_HSTS_S = 365 * 86400
_BURST_SECONDS = 10
_LEAST_BURST = 20


def other_servers(deployment: Deployment) -> Iterator[Block]:
    """Yield the server that answers to names which are not the site's."""
    lines = [Line(text) for text in _listens(deployment, " default_server")]
    if deployment.redirects:
        lines += [Line(text) for text in _listens_80(deployment, " default_server")]
    if deployment.is_tls:
        lines.append(Line("ssl_reject_handshake on;", "No certificate is shown for other names."))
    lines.append(Line("return 444;", "Close without an answer."))
    yield Block(
        "server",
        lines,
        "Requests for other names than the site's, such as its bare address, end here and not at "
        "the backend (F34).",
    )


def redirect_server(deployment: Deployment) -> Iterator[Block]:
    """Yield the server of port 80, where the site itself speaks TLS on 443."""
    if not deployment.redirects:
        return
    inside: list[Line | Block] = [
        *(Line(text) for text in _listens_80(deployment)),
        _server_name(deployment),
        *_challenge(deployment),
    ]
    redirect = Line("return 301 https://$host$request_uri;")
    inside.append(Block("location /", [redirect]) if deployment.acme_root else redirect)
    yield Block(
        "server",
        inside,
        "Browsers follow this for pages and never for WebSockets: clients must ask for wss:// "
        "(F32).",
    )


def named_server(deployment: Deployment, prefix: str, *, is_whole: bool) -> Block:
    """Return the site's own server."""
    inside: list[Line | Block] = [*_own_listens(deployment, is_whole=is_whole)]
    inside.append(_server_name(deployment))
    if not is_whole:
        inside.append(Line(f"access_log /var/log/nginx/{prefix}.log {prefix};"))
    if deployment.certificate is not None:
        inside += _tls(deployment.certificate, deployment, prefix)
    inside += _added_fields(deployment, prefix)
    inside.append(_websockets(deployment, prefix, is_whole=is_whole))
    if deployment.path != "/":
        inside.append(_rest(deployment))
    return Block("server", inside)


def _own_listens(deployment: Deployment, *, is_whole: bool) -> Iterator[Line]:
    options, reason = "", ""
    if is_whole:
        options = " so_keepalive=2m:30s:4"
        reason = "The system asks after 2 minutes of silence whether a client is still there (F24)."
    if deployment.has_http2 and not deployment.is_since(HTTP2_DIRECTIVE_SINCE):
        options, reason = f" http2{options}", f"{reason} {_HTTP2}".strip()
    for text in _listens(deployment, options):
        yield Line(text, reason)
        reason = ""
    if deployment.has_http2 and deployment.is_since(HTTP2_DIRECTIVE_SINCE):
        yield Line("http2 on;", _HTTP2)


def _listens(deployment: Deployment, options: str) -> Iterator[str]:
    tls = " ssl" if deployment.is_tls else ""
    where = f"{deployment.address}:" if deployment.address else ""
    yield f"listen {where}{deployment.port}{tls}{options};"
    if deployment.is_ipv6:
        yield f"listen [::]:{deployment.port}{tls}{options};"


def _listens_80(deployment: Deployment, options: str = "") -> Iterator[str]:
    where = f"{deployment.address}:" if deployment.address else ""
    yield f"listen {where}80{options};"
    if deployment.is_ipv6:
        yield f"listen [::]:80{options};"


def _server_name(deployment: Deployment) -> Line:
    return Line(f"server_name {' '.join(deployment.hosts)};")


def _challenge(deployment: Deployment) -> Iterator[Block]:
    if deployment.acme_root is None:
        return
    names = "".join(f" -d {name}" for name in deployment.hosts)
    certbot = f"  certbot certonly --cert-name {deployment.hosts[0]}{names}"
    yield Block(
        "location ^~ /.well-known/acme-challenge/",
        [Line(f"root {quote(deployment.acme_root)};")],
        "Where a certificate is asked for (RFC 8555 §8.3). The first, before nginx runs:\n"
        f"{certbot} --standalone\nFrom then on, for the renewals:\n"
        f"{certbot} --webroot -w {shlex.quote(deployment.acme_root)} "
        "--deploy-hook 'nginx -s reload'",
    )


def _tls(certificate: Certificate, deployment: Deployment, prefix: str) -> Iterator[Line]:
    yield Line(
        f"ssl_certificate {quote(certificate.chain)};",
        "With the certificates between it and the root: not every client fetches them.",
    )
    yield Line(f"ssl_certificate_key {quote(certificate.key)};")
    yield Line("ssl_protocols TLSv1.2 TLSv1.3;", "What is older is broken (RFC 8996).")
    yield Line(
        f"ssl_session_cache shared:{prefix}_tls:10m;",
        "When all clients come back after a restart, most need no whole handshake of TLS.",
    )


def _added_fields(deployment: Deployment, prefix: str) -> Iterator[Line]:
    if deployment.has_hsts:
        yield Line(
            f'add_header Strict-Transport-Security "max-age={_HSTS_S}" always;',
            "Browsers then turn ws:// and http:// into wss:// and https:// themselves (F32). "
            "`always`, or a 101 would be without it (F84).",
        )
    if deployment.has_route_cookie:
        yield Line(
            f"add_header Set-Cookie ${prefix}_route_cookie always;",
            "Sent where it is not empty; `always`, or a 101 would be without it (F84).",
        )


def _websockets(deployment: Deployment, prefix: str, *, is_whole: bool) -> Block:
    path = deployment.path
    lines = [
        *_refusals(deployment, prefix),
        *_limits(deployment, prefix),
        *_passed(deployment, prefix),
        *_timeouts(deployment, is_whole=is_whole),
    ]
    if path == "/":
        return Block(
            "location /",
            lines,
            "Pages and WebSockets of one application. Only a handshake is sent on as one.",
        )
    return Block(
        f"location ^~ {path}",
        lines,
        f"{path} and what is below it. With ^~ no regular expression goes before it (F33); without "
        "a slash at the end nginx redirects nothing, which clients would not follow (F31).",
    )


def _refusals(deployment: Deployment, prefix: str) -> Iterator[Line | Block]:
    if deployment.origins:
        yield Block(
            f"if (${prefix}_is_refused)",
            [Line("return 403;")],
            "A page of another site.",
        )


def _limits(deployment: Deployment, prefix: str) -> Iterator[Line]:
    rate = deployment.rate
    if rate is None:
        return
    burst = _LEAST_BURST if rate.unit == "m" else max(_LEAST_BURST, rate.count * _BURST_SECONDS)
    yield Line(
        f"limit_req zone={prefix}_handshakes burst={burst} nodelay;",
        "All tabs of a client come back at once after a restart: so many are let in without "
        "waiting (F59).",
    )
    yield Line("limit_req_status 429;", "Too Many Requests, not the 503 of a server in trouble.")


def _passed(deployment: Deployment, prefix: str) -> Iterator[Line]:
    yield Line(
        f"proxy_pass http://{prefix}_backend;",
        "Without a path behind the name the client's path stays as it is (F30). The scheme is "
        "http: a WebSocket begins as a request (F38).",
    )
    yield Line(
        "proxy_http_version 1.1;",
        "A handshake needs 1.1 (RFC 6455 §4.1), and nginx before 1.29.7 asks in 1.0 (F03).",
    )
    yield Line(
        f"proxy_set_header Upgrade ${prefix}_upgrade;",
        "Both fields are for one hop (RFC 9110 §7.6.1): nginx sends them on only if told to (F01, "
        "F02). All proxy_set_header stand here together: one in an inner block would drop those "
        "of the outer ones (F04).",
    )
    yield Line(f"proxy_set_header Connection ${prefix}_connection;")
    yield _host(deployment)
    yield Line(
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "Who the client is. What it says of itself is not passed on (F53).",
    )
    yield Line(
        "proxy_set_header X-Forwarded-Proto $scheme;",
        "Applications build ws:// or wss:// from it, and compare it with Origin (F53).",
    )


def _host(deployment: Deployment) -> Line:
    compared = "The name that the client asked for: applications compare it with Origin (F50)"
    if deployment.is_usual_port:
        return Line("proxy_set_header Host $host;", f"{compared}.")
    return Line(
        "proxy_set_header Host $http_host;", f"{compared}, port included, which $host lacks (F51)."
    )


def _timeouts(deployment: Deployment, *, is_whole: bool) -> Iterator[Line]:
    is_long = deployment.idle_s > _LONG_IDLE_S and not is_whole
    yield Line(
        f"proxy_read_timeout {nginx_time(deployment.idle_s)};",
        "A tunnel in which nothing moves for so long is cut; 60 s is the default (F20), and no "
        "other timeout matters (F23). Octets of either side count (F21): let the application ping "
        "every 25 s, as other hops on the way cut earlier (F28).",
        "F24 the application pings" if is_long else "",
    )
    yield Line(
        "proxy_connect_timeout 5s;", "A backend that is gone is noticed soon, not after 60 s."
    )
    yield Line(
        "proxy_socket_keepalive on;",
        "The system asks whether a silent backend is still there (F24).",
    )


def _rest(deployment: Deployment) -> Block:
    if deployment.static is None:
        return Block("location /", [Line("return 404;")], "There is nothing else here.")
    return Block(
        "location /",
        [
            Line(f"root {quote(deployment.static)};"),
            Line("index index.html;"),
            Line("try_files $uri $uri/ =404;"),
        ],
        "The site's files. A WebSocket does not end here: it would get a page (F35).",
    )
