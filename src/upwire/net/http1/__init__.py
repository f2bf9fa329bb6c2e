"""HTTP/1.1 over a Stream, both sides; the protocol itself is in `upwire.wire.http1`."""

from upwire.net.http1.client import HttpClientConnection
from upwire.net.http1.server import HttpConnection, HttpExchange, HttpTimeouts, error_response

__all__ = [
    "HttpClientConnection",
    "HttpConnection",
    "HttpExchange",
    "HttpTimeouts",
    "error_response",
]
