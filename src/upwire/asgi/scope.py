# cython: annotation_typing=False
"""What an application is told of a request: the scopes of HTTP and WebSocket."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote_to_bytes

from upwire.asgi.forwarded import TrustedProxies
from upwire.asgi.interface import VERSION, Scope
from upwire.net.http1 import HttpExchange
from upwire.net.stream import Address
from upwire.wire.fields import parse_list
from upwire.wire.http1 import RequestHead


class ScopeMaker:
    """Makes the scopes of one application.

    root_path: what a proxy has taken off the paths. proxies: None believes nobody.
    """

    def __init__(self, root_path: str, proxies: TrustedProxies | None) -> None:
        self._root_path = root_path
        self._raw_root_path = root_path.encode()
        self._proxies = proxies

    # Any: the values of the state are the application's.
    def http(self, exchange: HttpExchange, prefix: str, state: dict[str, Any] | None) -> Scope:
        """Return the scope of a plain request. prefix: the path below which it is mounted."""
        scope = self._scope("http", exchange, prefix, state)
        scope["method"] = exchange.head.method
        scope["extensions"] = {"http.response.pathsend": {}, "http.response.trailers": {}}
        return scope

    def websocket(self, exchange: HttpExchange, prefix: str, state: dict[str, Any] | None) -> Scope:
        """Return the scope of an opening handshake."""
        scope = self._scope("websocket", exchange, prefix, state)
        scope["scheme"] = "wss" if scope["scheme"] == "https" else "ws"
        offers = exchange.head.headers.combined("Sec-WebSocket-Protocol")
        scope["subprotocols"] = [] if offers is None else parse_list(offers)
        scope["extensions"] = {"websocket.http.response": {}}
        return scope

    def _scope(
        self, kind: str, exchange: HttpExchange, prefix: str, state: dict[str, Any] | None
    ) -> Scope:
        head, stream = exchange.head, exchange.stream
        peer = stream.peer_address
        scheme = "http" if stream.tls is None else "https"
        client = _address(peer)
        if self._proxies is not None and self._proxies.trusts(_name(peer)):
            client = self._proxies.client_of(client, head.headers)
            scheme = self._proxies.scheme_of(scheme, head.headers)
        path, query = _split(head)
        scope: Scope = {
            "type": kind,
            "asgi": VERSION,
            "http_version": "1.1" if head.version >= (1, 1) else "1.0",
            "scheme": scheme,
            "path": self._root_path + decode_path(path),
            "raw_path": self._raw_root_path + path.encode("latin-1"),
            "query_string": query.encode("latin-1"),
            "root_path": self._root_path + prefix,
            "headers": encode_headers(head),
            "client": client,
            "server": _server(stream.local_address),
        }
        if state is not None:
            scope["state"] = state.copy()
        return scope


def decode_path(path: str) -> str:
    """Return a path percent-decoded, as UTF-8; what is none becomes U+FFFD."""
    if "%" not in path and path.isascii():
        return path
    return unquote_to_bytes(path.encode("latin-1")).decode("utf-8", "replace")


def encode_headers(head: RequestHead) -> list[tuple[bytes, bytes]]:
    """Return the fields as ASGI has them: octets, the names in lower case."""
    return [
        (name.lower().encode("latin-1"), value.encode("latin-1"))
        for name, value in head.headers.items()
    ]


def _split(head: RequestHead) -> tuple[str, str]:
    """Return path and query, of the usual target at the cost of one cut."""
    if not head.target.startswith("/"):
        return head.path, head.query
    path, _, query = head.target.partition("?")
    return path, query


def _address(address: Address) -> tuple[str, int] | None:
    """Return host and port; None for a unix socket."""
    return None if isinstance(address, str) else address


def _name(peer: Address) -> str:
    return peer if isinstance(peer, str) else peer[0]


def _server(address: Address) -> tuple[str, int | None]:
    """Return where the request came to: host and port, or a path and None."""
    return (address, None) if isinstance(address, str) else address
