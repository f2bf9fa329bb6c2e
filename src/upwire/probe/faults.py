"""The table of faults: which case shows each, or why none does, and how it is mended.

The numbers are those of docs/faults.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One row. case: what shows it, "" where none does, and reason says why.

    is_in_file: no case shows it, and the file does where it is given.
    """

    number: str
    case: str = ""
    directive: str = ""
    mend: str = ""
    reason: str = ""
    is_in_file: bool = False


_UPGRADE_LINES = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    'proxy_set_header Connection "upgrade";'
)
_CONNECTION_MAP = (
    "map $http_upgrade $connection_upgrade { default upgrade; '' ''; } in http, "
    "and proxy_set_header Connection $connection_upgrade;"
)
_WEBSOCKET_MAP = (
    'map "$request_method $server_protocol $http_upgrade" $websocket '
    """{ default ''; "~*^GET HTTP/1\\.1 websocket$" websocket; } in http, """
    "and proxy_set_header Upgrade $websocket;"
)
_FILE = "it shows in the file only: with `--conf`, its line is told"
_LOAD = "it shows under a load that no prober should make: with `--conf`, its line is told"
_NO_START = "nginx does not start with it: with `--conf`, the line is told where nobody answers"
_SERVER_SIDE = "it shows on the server's side only: with `--conf`, its line is told"

_ROWS = (
    Fault("F01", "handshake", "proxy_set_header", f"{_UPGRADE_LINES} in the location"),
    Fault("F02", "handshake", "proxy_set_header", "set both Upgrade and Connection"),
    Fault("F03", "handshake", "proxy_http_version", "proxy_http_version 1.1;"),
    Fault(
        "F04",
        "handshake",
        "proxy_set_header",
        f"repeat in this location what it set above: {_UPGRADE_LINES} proxy_set_header Host $host;",
    ),
    Fault("F05", "plain", "proxy_set_header Connection", _CONNECTION_MAP),
    Fault(
        "F06",
        "plain",
        "proxy_set_header Upgrade",
        "proxy_set_header Upgrade $http_upgrade;",
    ),
    Fault("F07", "plain", "map", _CONNECTION_MAP),
    Fault("F08", reason=_NO_START),
    Fault(
        "F09",
        "keep-alive, listed",
        "proxy_set_header Connection",
        "a map of $http_upgrade instead of $http_connection",
    ),
    Fault("F10", "handshake", "proxy_set_header", "keep one line for each field"),
    Fault("F11", "post, http-1.0", "proxy_set_header Upgrade", _WEBSOCKET_MAP),
    Fault("F12", "h2c", "proxy_set_header Upgrade", _WEBSOCKET_MAP),
    Fault(
        "F13",
        "offers",
        "proxy_set_header Sec-WebSocket-*, proxy_hide_header",
        "delete the lines that set or hide Sec-WebSocket-*",
    ),
    Fault("F14", "query", "underscores_in_headers", "use dashes, or underscores_in_headers on;"),
    Fault(
        "F20",
        "idle",
        "proxy_read_timeout",
        "ping more often than the shortest hop allows, and raise proxy_read_timeout",
    ),
    Fault("F21", "idle", "proxy_read_timeout", "a ping from either side keeps a tunnel open"),
    Fault(
        "F22", "idle", "proxy_read_timeout", "move it into the location that passes the request on"
    ),
    Fault("F23", "idle", "proxy_send_timeout", "proxy_read_timeout is what an idle tunnel obeys"),
    Fault(
        "F24",
        reason="it shows where the path is cut silently: with `--conf`, its line is told",
        is_in_file=True,
    ),
    Fault("F25", reason="it shows at a reload: with `--conf`, its line is told", is_in_file=True),
    Fault("F26", "idle", "worker_shutdown_timeout", "worker_shutdown_timeout 1h;"),
    Fault("F27", "half-close", "", "finish the closing handshake before the connection ends"),
    Fault("F28", "idle", "", "ping every 25 seconds"),
    Fault("F30", "handshake", "proxy_pass", "end the location and the URI of proxy_pass alike"),
    Fault("F31", "handshake, slash", "location", "a `location = PATH` for the path without slash"),
    Fault("F32", "handshake", "return", "connect to wss://"),
    Fault("F33", "handshake, without-extension", "location", "^~ on the prefix location"),
    Fault("F34", "TLS, handshake", "server_name", "name the host in server_name"),
    Fault("F35", "handshake", "try_files", "a location of its own for the WebSocket's path"),
    Fault(
        "F36", "handshake, query", "proxy_pass", "a resolver, and $request_uri behind the address"
    ),
    Fault("F37", reason=_NO_START),
    Fault("F38", reason=_NO_START),
    Fault("F39", "capitals", "if", "a map of $http_upgrade with ~* instead of if"),
    Fault(
        "F40", "handshake", "proxy_pass", "resolve the name while nginx runs: server ... resolve"
    ),
    Fault("F41", "parallel", "proxy_pass", "127.0.0.1 instead of localhost"),
    Fault("F42", "handshake", "proxy_pass", "pass the path to the server that speaks WebSocket"),
    Fault("F43", reason="it shows in what the page makes of its own address"),
    Fault("F44", "handshake", "proxy_pass", "fill in proxy_pass"),
    Fault(
        "F50",
        "handshake, no-origin",
        "proxy_set_header Host",
        "proxy_set_header Host $host; or $http_host where clients write the port",
    ),
    Fault(
        "F51",
        "handshake, portless-origin",
        "proxy_set_header Host",
        "proxy_set_header Host $http_host;",
    ),
    Fault("F52", "evil-origin", "proxy_set_header Origin", "delete that line"),
    Fault(
        "F53",
        "handshake",
        "proxy_set_header X-Forwarded-Proto",
        "proxy_set_header X-Forwarded-Proto $scheme;",
    ),
    Fault("F54", "proxy-protocol", "listen", "take proxy_protocol off, or send it in front"),
    Fault("F55", "handshake", "auth_basic", "auth_basic off; here, and a ticket or cookie instead"),
    Fault(
        "F56",
        "handshake",
        "auth_request",
        'in the location of auth_request: proxy_set_header Upgrade ""; '
        'proxy_set_header Connection "";',
    ),
    Fault("F57", reason=_FILE, is_in_file=True),
    Fault("F58", "parallel", "limit_conn", "a zone of its own, and a higher limit"),
    Fault("F59", "parallel", "limit_req", "burst= with nodelay"),
    Fault("F60", "handshake", "deny", "allow the client"),
    Fault("F61", "cookie", "large_client_header_buffers", "large_client_header_buffers 4 32k;"),
    Fault("F62", "handshake, big-answer", "proxy_buffer_size", "proxy_buffer_size 16k;"),
    Fault("F63", "version-12, handshake", "proxy_intercept_errors", "proxy_intercept_errors off;"),
    Fault("F64", "handshake", "", "setsebool -P httpd_can_network_connect 1"),
    Fault("F70", "parallel", "worker_connections", "raise worker_connections"),
    Fault("F71", reason=_LOAD, is_in_file=True),
    Fault("F72", reason=_LOAD, is_in_file=True),
    Fault("F73", reason="it needs the polling protocol of the application"),
    Fault("F74", reason=_LOAD, is_in_file=True),
    Fault("F75", reason=_LOAD, is_in_file=True),
    Fault("F76", reason=_LOAD, is_in_file=True),
    Fault("F77", reason=_FILE, is_in_file=True),
    Fault(
        "F78",
        reason="a probe would leave its failure in the cache: with `--conf`, its line is told",
        is_in_file=True,
    ),
    Fault("F79", "parallel", "proxy_cache_lock", "proxy_cache off; here"),
    Fault(
        "F80", "handshake", "proxy_pass", "https:// to a TLS port, and proxy_ssl_server_name on;"
    ),
    Fault("F81", "TLS", "listen", "offer http/1.1 by ALPN"),
    Fault("F82", "handshake", "proxy_pass", "let nginx read and write the socket"),
    Fault("F83", reason=_SERVER_SIDE, is_in_file=True),
    Fault("F84", "plain", "add_header", "add `always` to add_header"),
    Fault("F85", reason=_FILE, is_in_file=True),
    Fault("F86", reason=_FILE, is_in_file=True),
    Fault("F87", reason=_NO_START),
    Fault("F88", reason="it concerns event streams, not WebSockets"),
)

FAULTS: Mapping[str, Fault] = {row.number: row for row in _ROWS}
"""The rows by their numbers."""
