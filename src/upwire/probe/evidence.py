"""What the probe has seen, and what it concludes."""

from __future__ import annotations

from dataclasses import dataclass, field

from upwire.conf.audit.finding import Severity
from upwire.probe.asking import Answer
from upwire.probe.cases import Asked
from upwire.probe.faults import FAULTS
from upwire.wire.http1 import RequestHead


@dataclass(frozen=True, slots=True)
class Tls:
    """What a TLS handshake showed. problem: why the certificate is not trusted, "" if it is.

    expires_s: seconds until the certificate's end, None where it is not known. is_http1_refused:
    the server talks, but not to a client that offers http/1.1 alone.
    """

    version: str = ""
    alpn: str = ""
    subject: str = ""
    problem: str = ""
    expires_s: float | None = None
    is_http1_refused: bool = False


@dataclass(frozen=True, slots=True)
class Talk:
    """What an open WebSocket showed. None: nothing came in time, or it was not tried."""

    ping_s: float | None = None
    echoes_text: bool = False
    echoes_binary: bool = False
    outlives_half_close: bool | None = None


@dataclass(frozen=True, slots=True)
class Opening:
    """One of several handshakes at the same time; took_s is since they all began."""

    answer: Answer
    took_s: float


@dataclass(frozen=True, slots=True)
class Parallel:
    """Handshakes at the same time, and one more as soon as they were closed."""

    openings: tuple[Opening, ...] = ()
    again: Answer | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """How a WebSocket fared on which the client was silent.

    ended_s: when its octets ended without a Close, None where they did not. close_code: of a
    Close that came, 0 for none. server_ping_s: when the server first sent a ping or a message.
    """

    watched_s: float
    ended_s: float | None = None
    close_code: int = 0
    server_ping_s: float | None = None


@dataclass(frozen=True, slots=True)
class Idle:
    """The ladder: one silent connection, one with pings of ours, one to the backend."""

    silent: Silence
    pinged: Silence
    direct: Silence | None = None


@dataclass(slots=True)
class Evidence:
    """All that was seen. front and backend: the answers by the names of their cases."""

    asked: Asked
    front: dict[str, Answer] = field(default_factory=dict)
    backend: dict[str, Answer] = field(default_factory=dict)
    via: list[tuple[str, Answer]] = field(default_factory=list)
    tls: Tls | None = None
    talk: Talk = field(default_factory=Talk)
    parallel: Parallel = field(default_factory=Parallel)
    idle: Idle | None = None

    @property
    def base(self) -> Answer:
        """The answer to the handshake that should open."""
        return self.front["handshake"]

    @property
    def direct(self) -> Answer | None:
        """The backend's own answer to it."""
        return self.backend.get("handshake")

    @property
    def is_direct_open(self) -> bool:
        """Whether the handshake opens without the gateway."""
        return self.direct is not None and self.direct.is_open

    @property
    def is_echo(self) -> bool:
        """Whether a backend of ours is at the other end."""
        return any(answer.received is not None for answer in self.front.values())

    def seen(self, case: str) -> RequestHead | None:
        """The request of a case as the backend got it, where that is ours."""
        answer = self.front.get(case)
        return None if answer is None or answer.received is None else answer.received.head

    def is_open(self, case: str) -> bool:
        """Whether a case opened."""
        return case in self.front and self.front[case].is_open

    def is_limited(self, case: str) -> bool:
        """Whether a case was refused for the number of requests, so that it says nothing."""
        return case in self.front and self.front[case].status in (429, 503) and self.base.is_open


@dataclass(frozen=True, slots=True)
class Place:
    """Where a configuration has a fault."""

    fault: str
    file: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Finding:
    """One conclusion. fault: its number, "" for what has none; suspects: other numbers it may be.

    places: where a configuration has one of these.
    """

    fault: str
    severity: Severity
    message: str
    suspects: tuple[str, ...] = ()
    places: tuple[Place, ...] = ()

    @property
    def directive(self) -> str:
        """What in nginx.conf is likely to blame."""
        return FAULTS[self.fault].directive if self.fault else ""

    @property
    def mend(self) -> str:
        """What to write or do."""
        return FAULTS[self.fault].mend if self.fault else ""
