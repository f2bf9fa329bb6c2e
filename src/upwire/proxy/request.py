"""The state of one request: what nginx's modules read and change, and its variables refer to."""

from __future__ import annotations

import asyncio
import enum
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from upwire.conf.model import Location, LocationSettings, Server
from upwire.conf.values import parse_size
from upwire.net.http1 import HttpExchange
from upwire.proxy.cycle import Cycle
from upwire.proxy.output import NOWHERE, Sink
from upwire.proxy.route import NOTHING_CAPTURED, Captures, ServerTable
from upwire.proxy.target import NO_TARGET, Target
from upwire.proxy.tls.client import ClientTls
from upwire.proxy.upstream import Hold
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead
from upwire.wire.proxy_protocol import ProxyHeader

if TYPE_CHECKING:
    from upwire.proxy.body import Body

NO_FIELDS = Headers()
"""Those of a head that is not there; nobody changes them."""

_NO_HEAD = RequestHead("", "", (1, 0), NO_FIELDS)

INTERNAL_REDIRECTS_MAX = 10
"""nginx gives up after this many changes of the path within one request."""


class Outcome(enum.Enum):
    """What a phase's handler says, where it is neither "not mine" (None) nor an error's status."""

    DONE = enum.auto()  # the response is complete, or the connection is to end without one
    RESTART = enum.auto()  # the path or the location changed: go on from `entry`
    ALLOWED = enum.auto()  # the access phase: this handler lets the request in


Handled = int | Outcome | None
"""What a handler returns; an int is the status of nginx's own page, or of `error_page`."""


class Phase(enum.IntEnum):
    """nginx's phases, in their order; the log is written in Exchange.finish()."""

    POST_READ = 0
    SERVER_REWRITE = 1
    FIND_CONFIG = 2
    REWRITE = 3
    PREACCESS = 4
    ACCESS = 5
    PRECONTENT = 6
    CONTENT = 7


@dataclass(slots=True)
class UpstreamTry:
    """One peer asked. Times are seconds from the try's start, None where it did not get there.

    is_first: the tries before it were of another location, which redirected internally.
    """

    address: str
    started_s: float
    status: int = 0
    connect_time_s: float | None = None
    header_time_s: float | None = None
    response_time_s: float | None = None
    response_octets: int = 0
    sent_octets: int = 0
    received_octets: int = 0
    is_first: bool = False

    def end(self, now_s: float) -> None:
        """Note that the try has ended."""
        self.response_time_s = now_s - self.started_s


@dataclass(slots=True)
class ClientFacts:
    """A connection of a client. number: nginx's $connection. requests: how many it has sent.

    tls: what is known of its handshake; None in the clear. connected: the address and port that
    connected, where `real_ip_header` named another. proxied: what the PROXY protocol said.
    """

    number: int
    address: str
    port: int
    local_address: str
    local_port: int
    servers: ServerTable
    started_s: float
    tls: ClientTls | None = None
    requests: int = 0
    connected: tuple[str, int] | None = None
    proxied: ProxyHeader | None = None

    @property
    def is_tls(self) -> bool:
        """Whether the client speaks TLS."""
        return self.tls is not None


@dataclass(slots=True)
class Reply:
    """What was answered: the head, for $sent_http_*, and octets, heads included."""

    fields: Headers
    status: int = 0
    trailers: Headers | None = None
    head_octets: int = 0
    body_octets: int = 0
    has_content: bool = True
    is_started: bool = False
    is_cut: bool = False


@dataclass(slots=True)
class SsiState:
    """What server side includes have made so far; all but time_format is the main request's."""

    variables: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, bytearray] = field(default_factory=dict)
    captures: tuple[str, ...] = ()
    time_format: str = "%A, %d-%b-%Y %H:%M:%S %Z"


class Request:
    """One request, from its head to its line in the access log.

    host_port: the port beside host, 0 where the client named none.
    uri and args change with internal redirects; target keeps what the client wrote.
    body: the content, once it was read or is passed on. passed_authority: where variables in
    `proxy_pass` led.
    adds_uri_to_alias: `try_files` found the path behind the alias of a location by expression.
    is_location_valid: the location is the one for the path, not so after `rewrite ... break`.
    entry: the phase to go on from after a RESTART. is_last: the connection ends after nginx's own
    page. is_switched: a tunnel has begun, and ends the request. status_override: what `error_page`
    answers in an error's place.
    redirect_cycles: how often there were too many redirects; a second time has no error page.
    variables: what `set`, `map` and named groups gave, which subrequests share.
    limit_rate: octets a second for the client, 0 for any; None: `limit_rate` was not asked yet.
    main: the client's own request, itself where this is no subrequest; parent: what started one.
    output: the first of the response's filters. sink: what is behind the last of them: the client,
    or whoever wants a subrequest's response. inclusions: where subrequests that become a part of
    this response put theirs. is_head_only: of a subrequest, no content is wanted; wants_pages: it
    gets the pages of errors. level: how many requests this one is inside of. beside: subrequests
    that run while this one is answered. runner: answers a subrequest. subrequests: how many were
    begun, of the main request.
    """

    __slots__ = (
        "_ssi",
        "added_fields",
        "adds_uri_to_alias",
        "args",
        "at_end",
        "beside",
        "body",
        "body_octets",
        "captures",
        "client",
        "cycle",
        "entry",
        "head",
        "hold",
        "host",
        "host_port",
        "http",
        "inclusions",
        "internal_redirects",
        "is_error_page",
        "is_head_only",
        "is_internal",
        "is_last",
        "is_location_valid",
        "is_switched",
        "is_uri_changed",
        "level",
        "limit_rate",
        "location",
        "look_up",
        "main",
        "method",
        "output",
        "parent",
        "passed_authority",
        "passed_is_chunked",
        "passed_octets",
        "passed_request",
        "redirect_cycles",
        "redirect_to",
        "reply",
        "request_id",
        "runner",
        "server",
        "settings",
        "sink",
        "started_s",
        "status_override",
        "subrequests",
        "target",
        "tries",
        "upstream_fields",
        "uri",
        "variables",
        "wants_pages",
    )

    def __init__(
        self,
        cycle: Cycle,
        client: ClientFacts,
        head: RequestHead | None,
        server: Server,
        look_up: Callable[[Request, str], str | None],
        http: HttpExchange | None = None,
    ) -> None:
        """head is None where the client sent none that can be read; look_up reads variables."""
        self.main = self
        self.parent: Request | None = None
        self.level = 0
        self.runner: Callable[[Request], Awaitable[None]] | None = None
        self.look_up = look_up
        self.cycle = cycle
        self.client = client
        self.http = http
        self.head = head or _NO_HEAD
        self.method = self.head.method
        self.server = server
        self.settings: LocationSettings = server.settings
        self.location: Location | None = None
        self.target = NO_TARGET
        self.uri = ""
        self.args = ""
        self.host = ""
        self.host_port = 0
        self.captures = NOTHING_CAPTURED
        self.variables: dict[str, str | None] = {}
        self.started_s = time.time()
        self.reply = Reply(NO_FIELDS)
        self.limit_rate: int | None = None
        self.output: Sink = NOWHERE
        self.sink: Sink = NOWHERE
        self.inclusions: Sink = NOWHERE
        self.is_head_only = False
        self.wants_pages = True
        self._ssi: SsiState | None = None
        self.tries: list[UpstreamTry] = []
        self.hold: Hold | None = None
        self.upstream_fields = NO_FIELDS
        self.passed_request: RequestHead | None = None
        self.passed_octets: int | None = None
        self.passed_is_chunked = False
        self.passed_authority = ""
        self.body: Body | None = None
        self.at_end: list[Callable[[], None]] = []
        self.beside: list[asyncio.Task[Request]] = []
        self.subrequests = 0
        self.request_id = ""
        self.body_octets = 0
        self.added_fields: list[tuple[str, str]] = []
        self.is_last = False
        self.is_switched = False
        self._begin_course()

    def _begin_course(self) -> None:
        """Set what redirects within the proxy change: there was none yet."""
        self.redirect_to = ""
        self.internal_redirects = 0
        self.redirect_cycles = 0
        self.is_internal = False
        self.is_uri_changed = False
        self.entry = Phase.POST_READ
        self.is_location_valid = True
        self.adds_uri_to_alias = False
        self.is_error_page = False
        self.status_override: int | None = None

    def make_subrequest(self, uri: str, args: str) -> Request:
        """Return a request for another path, to be answered on behalf of this one."""
        made = Request(self.cycle, self.client, self.head, self.server, self.look_up, self.http)
        made.main, made.parent, made.level = self.main, self, self.level + 1
        made.runner = self.runner
        made.method = "GET"
        made.target, made.host, made.host_port = self.target, self.host, self.host_port
        made.uri, made.args = uri, args
        made.is_internal = made.is_uri_changed = True
        made.entry = Phase.SERVER_REWRITE
        made.variables = self.variables
        made.started_s = self.started_s
        return made

    def lookup(self, name: str) -> str | None:
        """Return the value of a variable."""
        return self.look_up(self, name)

    def dissolve(self) -> None:
        """Let go of itself, at its end: nothing of it shall wait for a collection of cycles."""
        self.output = self.sink = self.inclusions = NOWHERE
        self.body = None
        self.beside.clear()
        del self.main

    def address(self, target: Target) -> None:
        """Take the path and the query from a request-target."""
        self.target = target
        self.uri = target.uri
        self.args = target.args

    def capture(self, captures: Captures) -> None:
        """Make what an expression captured the values of $1 to $9 and of its names."""
        if captures is not NOTHING_CAPTURED:
            self.captures = captures
            for name, number in captures.names.items():
                self.variables[name] = captures.values[number]

    def assign(self, name: str, value: str) -> None:
        """Give a variable a value, as `set` does; $args and $limit_rate change the request."""
        if name == "args":
            self.args = value
            self.is_uri_changed = True
        elif name == "limit_rate":
            self._assign_limit_rate(value)
        else:
            self.variables[name] = value

    def _assign_limit_rate(self, value: str) -> None:
        try:
            self.main.limit_rate = parse_size(value)
        except ValueError:
            self.log("error", f'invalid $limit_rate "{value}"')

    def settle(self, location: Location | None) -> None:
        """Answer with the settings of location, None for the server's own."""
        self.location = location
        self.settings = location.settings if location is not None else self.server.settings

    def redirect_internally(self, uri: str, args: str) -> Handled:
        """Change the path, and say what follows: 500 when it has changed too often."""
        self.uri, self.args = uri, args
        self.is_uri_changed = self.is_location_valid = True
        return self.enter(Phase.SERVER_REWRITE)

    def enter_named(self, name: str) -> Handled:
        """Go on in the location `@name`, and say what follows: 500 where there is none."""
        location = self.cycle.router.locations_of(self.server).find_named(name)
        if location is None:
            self.log("error", f'could not find named location "@{name}"')
            return 500
        self.settle(location)
        return self.enter(Phase.REWRITE)

    def enter(self, phase: Phase) -> Handled:
        """Count a jump within the proxy, and go on from a phase."""
        self.is_internal = True
        self.adds_uri_to_alias = False
        self.entry = phase
        self.internal_redirects += 1
        if self.internal_redirects > INTERNAL_REDIRECTS_MAX:
            self.log("error", "rewrite or internal redirection cycle")
            self.internal_redirects = 0
            self.redirect_cycles += 1
            return 500
        return Outcome.RESTART

    def log(self, level: str, message: str) -> None:
        """Write a line of the error log of the request's location, with what it is about."""
        logger = self.cycle.error_logger(self.settings)
        if logger.is_on(level):
            logger.write(level, message, connection=self.client.number, context=self.context())

    def context(self) -> str:
        """Say which client, server, request and upstream a line of the error log is about."""
        facts = [f", client: {self.client.address}, server: {self.server_name}"]
        if self.head.method:
            facts.append(f', request: "{self.request_line}"')
        if self.tries:
            scheme = self.settings.proxy.pass_.scheme if self.settings.proxy.pass_ else "http"
            address = self.tries[-1].address
            path = self.passed_request.target if self.passed_request else self.uri
            separator = ":" if address.startswith("unix:") else ""
            facts.append(f', upstream: "{scheme}://{address}{separator}{path}"')
        for label, name in (("host", "Host"), ("referrer", "Referer")):
            value = self.head.headers.get(name)
            if value is not None:
                facts.append(f', {label}: "{value}"')
        return "".join(facts)

    @property
    def ssi(self) -> SsiState:
        """What server side includes have made for this request."""
        if self._ssi is None:
            self._ssi = SsiState()
        return self._ssi

    @property
    def wants_head_only(self) -> bool:
        """Whether the response shall have no content: to HEAD, and to some subrequests."""
        return self.is_head_only or self.method == "HEAD"

    @property
    def request_line(self) -> str:
        """The request line as the client sent it."""
        if not self.head.method:
            return ""
        major, minor = self.head.version
        return f"{self.head.method} {self.head.target} HTTP/{major}.{minor}"

    @property
    def server_name(self) -> str:
        """The first name of the server, as $server_name gives it; "" where it has none."""
        if not self.server.names:
            return ""
        first = self.server.names[0]
        return f"~{first.pattern}" if first.regex is not None else first.pattern

    @property
    def scheme(self) -> str:
        """The scheme that the client used, "http" or "https"."""
        return "https" if self.client.is_tls else "http"
