"""The server: `serve()` and `run()`, `Routes`, `Request` and `Response`."""

from __future__ import annotations

from upwire.server.options import (
    EndpointKeywords,
    EndpointOptions,
    ServerKeywords,
    ServerOptions,
)
from upwire.server.request import Request
from upwire.server.response import Response
from upwire.server.routes import HttpHandler, Routes, WebSocketHandler
from upwire.server.running import run
from upwire.server.service import Application, Server, serve

__all__ = [
    "Application",
    "EndpointKeywords",
    "EndpointOptions",
    "HttpHandler",
    "Request",
    "Response",
    "Routes",
    "Server",
    "ServerKeywords",
    "ServerOptions",
    "WebSocketHandler",
    "run",
    "serve",
]
