"""Every exception that Upwire raises.

One root, and a class apart only where a caller would catch it apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_ABNORMAL_CLOSURE = 1006  # no Close came: RFC 6455 §7.1.5


class UpwireError(Exception):
    """The root of all exceptions of this package."""


class LocalProtocolError(UpwireError):
    """Our caller asked for something that the protocol does not allow in this state."""


class RemoteProtocolError(UpwireError):
    """The peer broke a rule; carries what to answer.

    message: what is wrong, in one line.
    rule: the text that says so, such as "RFC 6455 §5.1".
    close_code: the close code to answer with once a WebSocket is open (RFC 6455 §7.4).
    status: the HTTP status to answer with before that (RFC 9110 §15).
    headers: fields that this status demands, such as Allow or Sec-WebSocket-Version.
    mend: how the peer's owner mends it, in one line; may be empty.
    """

    def __init__(
        self,
        message: str,
        rule: str = "",
        *,
        close_code: int = 1002,
        status: int = 400,
        headers: Iterable[tuple[str, str]] = (),
        mend: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.rule = rule
        self.close_code = close_code
        self.status = status
        self.headers = tuple(headers)
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message} ({self.rule})" if self.rule else self.message


class HandshakeRefused(RemoteProtocolError):
    """The server answered an opening handshake with another status than 101.

    status, reason, headers and body are the server's; body may be cut at a limit. No rule is
    named: a server may refuse.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str,
        headers: Iterable[tuple[str, str]],
        body: bytes = b"",
        mend: str = "",
    ) -> None:
        super().__init__(message, status=status, headers=headers, mend=mend)
        self.reason = reason
        self.body = body


class ConnectionClosed(UpwireError):
    """The WebSocket is closed: nothing more can be received or sent.

    code: the close code (RFC 6455 §7.4), 1005 where the Close had none, 1006 where none came.
    reason: the peer's or our reason, may be empty.
    is_remote: the peer began the closing handshake (or vanished); otherwise we did.
    """

    def __init__(self, code: int, reason: str = "", *, is_remote: bool = True) -> None:
        if code == _ABNORMAL_CLOSURE:
            what = "lost"
        else:
            what = "closed by peer" if is_remote else "closed by us"
        super().__init__(f"{what}: {code}{' ' + reason if reason else ''}")
        self.code = code
        self.reason = reason
        self.is_remote = is_remote

    @property
    def is_normal(self) -> bool:
        """Whether both sides were told: 1000, 1001, or a Close without a code."""
        return self.code in (1000, 1001, 1005)


class StreamError(UpwireError):
    """A connection was lost, or a deadline on it passed.

    doing: what was being done, such as "reading response head".
    is_timeout: a deadline passed; otherwise the peer or the system cut the connection.
    """

    def __init__(self, message: str, *, doing: str = "", is_timeout: bool = False) -> None:
        super().__init__(f"{message} while {doing}" if doing else message)
        self.message = message
        self.doing = doing
        self.is_timeout = is_timeout


class ClientDisconnected(UpwireError, OSError):
    """An ASGI application has sent to a client that is gone.

    An OSError, as ASGI demands: frameworks catch it as that.
    """


class ConnectError(UpwireError):
    """No connection could be made to an address.

    phase: "resolving", "connecting" or "TLS handshake".
    address: what was tried, as "127.0.0.1:8080" or "unix:/run/app.sock".
    """

    def __init__(self, message: str, *, phase: str, address: str, is_timeout: bool = False) -> None:
        super().__init__(message)
        self.phase = phase
        self.address = address
        self.is_timeout = is_timeout


class RoomRefused(UpwireError):
    """A room did not take what it was asked for.

    reason: "name", "permission", "limit", "size", "rate", "joined" or "closed".
    """

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class HomeUnreachable(UpwireError):
    """The home of a room cannot be reached; what was to be published may or may not be."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a configuration file. line and column count from 1; 0 means unknown.

    Its text is what nginx would log. mend: how it is mended, in one line of ours, where that lies
    outside of the file or is not plain from it.
    """

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    severity: str = "emerg"
    mend: str = ""

    def __str__(self) -> str:
        where = f" in {self.file}:{self.line}" if self.file else ""
        column = f":{self.column}" if self.file and self.column else ""
        return f"[{self.severity}] {self.message}{where}{column}"


class ConfigError(UpwireError):
    """A configuration does not load; problems lists every fault that was found.

    Faults that are in no file, such as an address in use, are told without nginx's severity.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(
            "\n".join(str(problem) if problem.file else problem.message for problem in problems)
        )
        self.problems = tuple(problems)


def printable(text: str) -> str:
    r"""Return a peer's text as one line of ours may show it, a control character as \x1b is."""
    return "".join(
        sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text
    )
