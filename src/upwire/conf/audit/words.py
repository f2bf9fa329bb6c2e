"""Words by which one sees that WebSockets are meant."""

from __future__ import annotations

import re

_NAMES = re.compile(
    r"(?:^|[^a-z0-9])(?:wss?|web-?sockets?|socket\.?io|sockjs(?:-node)?|cable|signalr"
    r"|_stcore/stream|websockify|mqtt|kernels)(?:$|[^a-z0-9])",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"#.*\bweb-?sockets?\b", re.IGNORECASE)


def names_websockets(text: str) -> bool:
    """Whether a path, a host or an upstream is called as those for WebSockets are."""
    return _NAMES.search(text) is not None


def comments_on_websockets(line: str) -> bool:
    """Whether the comment of a line speaks of WebSockets."""
    return _COMMENT.search(line) is not None
