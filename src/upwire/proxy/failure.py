"""Why a peer gave no answer, in the words of nginx's error log and of `proxy_next_upstream`."""

from __future__ import annotations

import errno
import socket
import ssl
from dataclasses import dataclass

from upwire.errors import ConnectError, RemoteProtocolError, StreamError
from upwire.proxy.error_log import describe_error

CONNECTING = "connecting to upstream"
SHAKING_HANDS = "SSL handshaking to upstream"
SENDING = "sending request to upstream"
READING_HEAD = "reading response header from upstream"
READING_BODY = "reading upstream"

TOO_BIG = 431
"""The status by which a head past `proxy_buffer_size` is known."""


@dataclass(slots=True)
class TryFailed(Exception):
    """A try came to nothing. kind: a word of `proxy_next_upstream`. doing: what went wrong."""

    kind: str
    reason: str
    doing: str

    @property
    def message(self) -> str:
        """The line for the error log."""
        return f"{self.reason} while {self.doing}" if self.doing else self.reason

    @property
    def status(self) -> int:
        """What the client gets when no other peer is asked."""
        return 504 if self.kind == "timeout" else 502


def not_connected(error: ConnectError) -> TryFailed:
    """Return the failure for a connection that could not be made."""
    if error.is_timeout and error.phase != "resolving":
        return timed_out(CONNECTING if error.phase == "connecting" else SHAKING_HANDS)
    cause = error.__cause__
    if isinstance(cause, socket.gaierror | ssl.SSLError):  # their numbers are not the system's
        return TryFailed("error", str(error), CONNECTING)
    if isinstance(cause, OSError) and cause.errno:
        return TryFailed("error", f"connect() failed {describe_error(cause)}", CONNECTING)
    return TryFailed("error", str(error), CONNECTING)


def not_sent(error: StreamError) -> TryFailed:
    """Return the failure for a connection that took no whole request."""
    return timed_out(SENDING) if error.is_timeout else _lost(error, "send", SENDING)


def not_read(error: StreamError, doing: str) -> TryFailed:
    """Return the failure for a connection that gave no whole answer."""
    return timed_out(doing) if error.is_timeout else _lost(error, "recv", doing)


def not_understood(error: RemoteProtocolError) -> TryFailed:
    """Return the failure for what is no response's head, or too big a one."""
    fault = "too big header" if error.status == TOO_BIG else f"invalid header: {error.message}"
    return TryFailed("invalid_header", f"upstream sent {fault}", READING_HEAD)


def timed_out(doing: str) -> TryFailed:
    """Return the failure for a deadline that passed."""
    reason = describe_error(OSError(errno.ETIMEDOUT, ""))
    return TryFailed("timeout", f"upstream timed out {reason}", doing)


def _lost(error: StreamError, call: str, doing: str) -> TryFailed:
    """Say why a connection ended: nginx names the system call that failed, if one did."""
    cause = error.__cause__
    if isinstance(cause, OSError) and cause.errno:
        return TryFailed("error", f"{call}() failed {describe_error(cause)}", doing)
    return TryFailed("error", "upstream prematurely closed connection", doing)
