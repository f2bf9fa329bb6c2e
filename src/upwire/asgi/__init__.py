"""ASGI 3: applications of other frameworks on our server."""

from __future__ import annotations

from upwire.asgi.application import AsgiApplication
from upwire.asgi.interface import AsgiCallable
from upwire.asgi.running import AsgiKeywords, run_application, run_asgi

__all__ = [
    "AsgiApplication",
    "AsgiCallable",
    "AsgiKeywords",
    "run_application",
    "run_asgi",
]
