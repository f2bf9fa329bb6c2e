"""The whole path of a WebSocket: server, client, and the reverse proxy that reads nginx.conf."""

from __future__ import annotations

from upwire.asgi import AsgiApplication, run_asgi
from upwire.client import connect, reconnecting
from upwire.errors import (
    ClientDisconnected,
    ConfigError,
    ConnectError,
    ConnectionClosed,
    HandshakeRefused,
    LocalProtocolError,
    RemoteProtocolError,
    StreamError,
    UpwireError,
)
from upwire.net.websocket import Callbacks, WebSocket, WebSocketOptions
from upwire.server import Request, Response, Routes, Server, run, serve
from upwire.version import __version__
from upwire.wire.deflate import DeflateOptions
from upwire.wire.frames import CloseCode

__all__ = [
    "AsgiApplication",
    "Callbacks",
    "ClientDisconnected",
    "CloseCode",
    "ConfigError",
    "ConnectError",
    "ConnectionClosed",
    "DeflateOptions",
    "HandshakeRefused",
    "LocalProtocolError",
    "RemoteProtocolError",
    "Request",
    "Response",
    "Routes",
    "Server",
    "StreamError",
    "UpwireError",
    "WebSocket",
    "WebSocketOptions",
    "__version__",
    "connect",
    "reconnecting",
    "run",
    "run_asgi",
    "serve",
]
