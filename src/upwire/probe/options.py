"""What `upwire probe` can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

_SECONDS = "SECONDS"
_FIELD = "'NAME: VALUE'"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """The options of the command, each checked."""

    url: str | None = field(
        default=None, metadata={"nargs": "?", "help": "ws://, wss:// or ws+unix://"}
    )
    backend: str | None = field(
        default=None,
        metadata={"metavar": "URL", "help": "the server behind the gateway, to compare with"},
    )
    via: tuple[str, ...] = field(
        default=(),
        metadata={
            "metavar": "HOST[:PORT]",
            "help": "ask here for the same URL; give each gateway, the outermost first",
        },
    )
    conf: str | None = field(
        default=None,
        metadata={"metavar": "FILE", "help": "the nginx.conf in which to look for the faults"},
    )
    idle: float | None = field(
        default=None,
        metadata={"metavar": _SECONDS, "help": "keep silent so long, and see who closes"},
    )
    yes: bool = field(
        default=False,
        metadata={"flags": ("-y",), "help": "do not ask before more than a minute of --idle"},
    )
    echo_backend: int | None = field(
        default=None,
        metadata={"metavar": "PORT", "help": "be a backend that shows what arrives at it"},
    )
    host: str = field(
        default="127.0.0.1", metadata={"metavar": "ADDRESS", "help": "where --echo-backend listens"}
    )
    header: tuple[str, ...] = field(
        default=(), metadata={"flags": ("-H",), "metavar": _FIELD, "help": "add a request field"}
    )
    subprotocol: tuple[str, ...] = field(default=(), metadata={"help": "offer a subprotocol"})
    origin: str = field(default="", metadata={"help": "send this Origin, not the URL's own"})
    insecure: bool = field(
        default=False, metadata={"flags": ("-k",), "help": "accept any certificate"}
    )
    parallel: int = field(
        default=6, metadata={"metavar": "N", "help": "handshakes at once, up to 64; 1: none"}
    )
    timeout: float = field(
        default=5.0, metadata={"metavar": _SECONDS, "help": "how long to wait for each answer"}
    )
    json: bool = field(default=False, metadata={"help": "print what was found as JSON"})

    def __post_init__(self) -> None:
        if (self.url is None) is (self.echo_backend is None):
            raise ValueError("give a URL to probe, or --echo-backend PORT")
        if self.echo_backend is not None and not 0 <= self.echo_backend <= 65535:
            raise ValueError("--echo-backend takes 0 to 65535")
        if not 1 <= self.parallel <= 64:
            raise ValueError("--parallel takes 1 to 64")
        if not 0 < self.timeout <= 600:  # nan is not, either
            raise ValueError("--timeout takes more than 0 seconds, and 600 or less")
        if self.idle is not None and not 0 < self.idle <= 86400:
            raise ValueError("--idle takes more than 0 seconds, and a day or less")
        for line in self.header:
            if not line.partition(":")[1]:
                raise ValueError(f"a header is 'NAME: VALUE', not {line!r}")

    @property
    def fields(self) -> tuple[tuple[str, str], ...]:
        """The additional fields of the requests."""
        pairs = (line.partition(":") for line in self.header)
        return tuple((name.strip(), value.strip()) for name, _, value in pairs)

    @property
    def connections_max(self) -> int:
        """How many connections a probe makes at most."""
        return 40 + self.parallel + len(self.via)
