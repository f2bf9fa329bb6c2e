"""Words by which one sees that WebSockets are meant."""

from __future__ import annotations

import re

_NAMES = re.compile(
    r"(?:^|[^a-z0-9])(?:wss?|web-?sockets?|socket\.?io|sockjs(?:-node)?|cable|signalr"
    r"|_stcore/stream|websockify|mqtt|kernels)(?:$|[^a-z0-9])",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"#.*\bweb-?sockets?\b", re.IGNORECASE)
_DENIAL = re.compile(r"#.*\b(?:no|not|non|without|disabled?|n't)\b", re.IGNORECASE)
_PINGING = re.compile(
    r"socket\.io|engine\.io|sockjs|signalr|/cable$|/(?:live|socket)/websocket|_stcore/stream"
    r"|/api/v1/streaming"
    r"|/(?:kernels|terminals)(?:/|$)",
    re.IGNORECASE,
)


def names_websockets(text: str) -> bool:
    """Whether a path, a host or an upstream is called as those for WebSockets are."""
    return _NAMES.search(text) is not None


def comments_on_websockets(line: str) -> bool:
    """Whether the comment of a line speaks of WebSockets."""
    return _COMMENT.search(line) is not None and _DENIAL.search(line) is None


def names_pinging_library(path: str) -> bool:
    """Whether a path is that of a library that pings within a minute by itself.

    Socket.IO and SockJS every 25 s, SignalR 15 s, Action Cable 3 s, Phoenix, Tornado and Mastodon's
    streaming 30 s.
    """
    return _PINGING.search(path) is not None


def is_masked(text: str) -> bool:
    """Whether a value, or a part of it, is a template's and not known here."""
    return "__" in text or any(sign in text for sign in ("{{", "%%", "<%"))
