"""The table of faults: what each is called, how it shows, and why no rule finds some of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One row. reason: why the checker has no rule for it, "" where it has one."""

    number: str
    title: str
    symptom: str
    reason: str = ""


_ON_THE_WIRE = "nginx does so whatever the file says"

_ROWS = (
    Fault("F01", "Upgrade and Connection not passed on", "400, 404 or 426, or a page"),
    Fault("F02", "only one of Upgrade and Connection passed on", "400 or 426"),
    Fault("F03", "HTTP/1.0 or HTTP/2 upstream", "works with one backend and not with another"),
    Fault("F04", "inherited fields dropped by a proxy_set_header", "as F01, on one path only"),
    Fault("F05", "Connection: upgrade on every request", "odd answers to plain requests"),
    Fault("F06", "Upgrade as a literal", "plain requests get 400, or hang in a 101"),
    Fault("F07", "Connection: close where connections are kept", "a new connection each request"),
    Fault("F08", "map missing, misplaced or without a line for ''", "nginx does not start, or F05"),
    Fault("F09", "the client's Connection passed on", "Firefox fails; fields can be dropped"),
    Fault("F10", "a field sent twice", "400 from strict backends"),
    Fault(
        "F11",
        "nginx checks no handshake",
        "odd clients get through",
        "it holds for every location that passes Upgrade on, and a right backend refuses odd "
        "handshakes itself; F12 says where it matters",
    ),
    Fault("F12", "other protocols than WebSocket passed on", "rules of other locations bypassed"),
    Fault("F13", "Sec-WebSocket-* changed", "400, or subprotocols and compression lost"),
    Fault(
        "F14",
        "names with underscores dropped",
        "a field vanishes",
        "the names that clients send are not in the file: $http_x_token reads X-Token and X_Token",
    ),
    Fault("F20", "idle timeout of a minute", "1006 after exactly 60 s without traffic"),
    Fault("F21", "which traffic counts", "pings of either side keep a tunnel", _ON_THE_WIRE),
    Fault("F22", "timeout in a block that does not answer", "1006 after 60 s all the same"),
    Fault("F23", "another timeout raised", "1006 after 60 s all the same"),
    Fault("F24", "timeouts of hours without pings", "half-dead tunnels pile up"),
    Fault("F25", "no worker_shutdown_timeout", "old workers stay for days after a reload"),
    Fault("F26", "short worker_shutdown_timeout", "all clients reconnect after each reload"),
    Fault("F27", "no half-close", "1006 where a client ends its side first", _ON_THE_WIRE),
    Fault("F28", "idle limits of hops in front", "1006 after 60 to 600 s, or silence"),
    Fault("F30", "slashes of location and proxy_pass", "404 upstream"),
    Fault("F31", "redirect to the path with a slash", "1006, unexpected response code 301"),
    Fault(
        "F32",
        "redirect from http to https",
        "ws:// gets 301",
        "every good site does so, and the client that asks ws:// is not in the file; it asks wss://",
    ),
    Fault("F33", "a regular expression goes before the prefix", "404 from another location"),
    Fault("F34", "another server block answers", "404, 301, or the wrong certificate"),
    Fault(
        "F35",
        "the fallback of a single-page application",
        "200 and a page",
        "which of the paths that fall back to it are WebSockets' does not stand in the file",
    ),
    Fault("F36", "variables in proxy_pass", "502, or the query lost"),
    Fault("F37", "proxy_pass with a path where it takes none", "nginx does not start"),
    Fault("F38", "ws:// in proxy_pass", "nginx does not start"),
    Fault("F39", "if compares the case of Upgrade", "404 for some clients"),
    Fault("F40", "names resolved once", "502 or 504 after a container came back"),
    Fault("F41", "localhost is two addresses", "every other connection refused first"),
    Fault("F42", "a path handed to another protocol", "400, 404 or 500"),
    Fault("F43", "applications below a path", "the page asks for a WebSocket outside of it"),
    Fault("F44", "no proxy_pass", "404"),
    Fault("F50", "Host lost", "403 from origin checks, 400 from Django"),
    Fault("F51", "Host without its port", "403 from origin checks"),
    Fault("F52", "Origin overwritten", "any site may open a WebSocket"),
    Fault(
        "F53", "scheme and address not passed on, or trusted blindly", "ws://, spoofed addresses"
    ),
    Fault("F54", "PROXY protocol on one side only", "400, or every connection ends"),
    Fault("F55", "auth_basic", "401"),
    Fault("F56", "auth_request asks with Upgrade", "an empty reply, or 500"),
    Fault("F57", "secrets in the query", "they stand in the access log"),
    Fault("F58", "limit_conn counts tunnels for life", "503 for the next tab"),
    Fault("F59", "limit_req without a burst", "503 when all reconnect"),
    Fault("F60", "access rules", "403"),
    Fault("F61", "big cookies", "400 Request Header Or Cookie Too Large"),
    Fault("F62", "a big 101", "502"),
    Fault("F63", "error pages in front of the reason", "a page in place of 400 or 426"),
    Fault(
        "F64",
        "SELinux",
        "502, `13: Permission denied` in the log",
        "the policy is the system's: the same file works with httpd_can_network_connect and fails "
        "without",
    ),
    Fault("F70", "worker_connections", "500 for the next client"),
    Fault("F71", "descriptors", "accepting stops"),
    Fault("F72", "ports to one address", "502 at about 28,000 tunnels"),
    Fault("F73", "polling without affinity", "400 Session ID unknown"),
    Fault("F74", "ip_hash behind a CDN", "all clients on one server"),
    Fault("F75", "one failure ejects a server", "sessions move, and 400"),
    Fault("F76", "tunnels in turn", "a new server stays idle"),
    Fault("F77", "keepalive before the method", "the method or the connections lost"),
    Fault("F78", "a cache in front of handshakes", "old errors answered to right handshakes"),
    Fault("F79", "proxy_cache_lock", "handshakes half a second apart"),
    Fault("F80", "TLS to the backend", "400, 502, or another site's answer"),
    Fault("F81", "HTTP/2 and HTTP/3 only", "no handshake"),
    Fault(
        "F82",
        "UNIX-domain sockets",
        "502, `2: No such file` or `13: Permission denied` in the log",
    ),
    Fault("F83", "stream in front", "one address for all clients"),
    Fault("F84", "add_header without always", "the field is missing in the 101"),
    Fault("F85", "limits that do nothing in a tunnel", "messages of any size pass"),
    Fault("F86", "no log of tunnels", "nothing to look at"),
    Fault(
        "F87",
        "the file does not load",
        "nginx does not start",
        "`upwire check` reads the file as `upwire proxy` does, and says what that refuses",
    ),
    Fault("F88", "events held back", "bursts"),
)

FAULTS: Mapping[str, Fault] = {row.number: row for row in _ROWS}
"""The rows by their numbers."""
