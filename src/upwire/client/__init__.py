"""The client: `connect()` and `reconnecting()`."""

from __future__ import annotations

from upwire.client.connecting import Connecting, connect
from upwire.client.options import ClientKeywords, ClientOptions
from upwire.client.reconnecting import Backoff, may_pass, reconnecting

__all__ = [
    "Backoff",
    "ClientKeywords",
    "ClientOptions",
    "Connecting",
    "connect",
    "may_pass",
    "reconnecting",
]
