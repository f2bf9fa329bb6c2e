"""A configuration as the checker's rules see it: whole or in part, each value with its place.

The rules ask for effective values, as nginx inherits them; what a fragment does not show is not
judged.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from upwire.conf.audit.words import comments_on_websockets, names_websockets
from upwire.conf.directives import Version
from upwire.conf.syntax import Directive, Position
from upwire.conf.values import parse_time

_HANDLERS = (
    *("proxy_pass", "fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass"),
    *("tunnel_pass", "return", "stub_status", "empty_gif"),
)
_HARMLESS_INCLUDE = re.compile(
    r"^(?!.*(?:proxy|socket|upgrade|upstream|location|server))"
    r".*(?:mime\.types|fastcgi|uwsgi|scgi|ssl|tls|letsencrypt|cert|security|gzip|brotli|modules"
    r"|errors?\b|acme|(?:conf|http|vhosts)\.d/\*|sites-enabled/)",
    re.IGNORECASE,
)
_HTTP_1_1_DEFAULT_SINCE = (1, 29, 7)
_DEFAULT_TIMEOUT_S = 60.0


class Kind(enum.Enum):
    """What a file is, by what stands at its top."""

    WHOLE = enum.auto()
    HTTP = enum.auto()  # server blocks, upstreams, maps: what is included into http
    SERVER = enum.auto()  # locations: what is included into a server
    LOCATION = enum.auto()  # proxy_pass and its like


class Evidence(enum.IntEnum):
    """Whether WebSockets go through a location."""

    NONE = 0
    TOLD = 1  # a comment says so
    NAMED = 2  # its path says so, or the name of its server
    SET = 3  # it passes Upgrade on


@dataclass(frozen=True, eq=False)
class Level:
    """One block around a place, or the top of the file; directive is None there.

    The places in a block share its Level, and only that is equal to it.
    """

    directive: Directive | None
    lines: Sequence[Directive]

    def own(self, name: str) -> Sequence[Directive]:
        """The lines of a directive in this very block."""
        return self._by_name.get(name, ())

    @cached_property
    def has_gap(self) -> bool:
        """Whether lines are missing here, of a file that could not be read."""
        return any(
            not _HARMLESS_INCLUDE.search(" ".join(line.args)) for line in self.own("include")
        )

    @property
    def label(self) -> str:
        """The block as one writes of it: `location /ws`."""
        if self.directive is None:
            return "this file"
        return " ".join((self.directive.name, *self.directive.args))

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[Directive]]:
        found: dict[str, list[Directive]] = {}
        for line in self.lines:
            found.setdefault(line.name, []).append(line)
        return found


@dataclass(frozen=True, slots=True)
class Place:
    """A location, or the block in which a fragment's proxy_pass stands.

    levels: the blocks around it, the innermost first, its own included.
    """

    levels: tuple[Level, ...]
    evidence: Evidence = Evidence.NONE

    @property
    def block(self) -> Level:
        """Its own block."""
        return self.levels[0]

    @property
    def server(self) -> Level | None:
        """The server that it is in."""
        return next((level for level in self.levels if _is_block(level, "server")), None)

    @property
    def pattern(self) -> str:
        """The path or expression of the location, "" where it is none."""
        directive = self.block.directive
        if directive is None or directive.name != "location" or not directive.args:
            return ""
        if len(directive.args) > 1:
            return directive.args[-1]
        is_named = self.modifier == "@"
        return directive.args[0] if is_named else directive.args[0].removeprefix(self.modifier)

    @property
    def modifier(self) -> str:
        """`=`, `^~`, `~` or `~*`; "" for a prefix; "@" for a named location."""
        directive = self.block.directive
        if directive is None or directive.name != "location" or not directive.args:
            return ""
        first = directive.args[0]
        for modifier in ("~*", "^~", "=", "~", "@"):
            if first.startswith(modifier):
                return modifier
        return ""

    @property
    def is_root(self) -> bool:
        """Whether it answers what no other location does."""
        return self.pattern in ("", "/")

    @property
    def passes(self) -> Directive | None:
        """Its `proxy_pass`, where that says to whom."""
        return next((line for line in self.block.own("proxy_pass") if line.args), None)

    @property
    def handler(self) -> Directive | None:
        """The directive that answers; None: files, or a jump to elsewhere."""
        return next((line for line in self.block.lines if line.name in _HANDLERS), None)

    def effective(self, name: str) -> Sequence[Directive]:
        """The lines of the innermost block that has any."""
        return next((found for level in self.levels if (found := level.own(name))), ())

    def shows(self, name: str) -> bool:
        """Whether all lines that may hold for a directive are seen: no file of them is missing."""
        for level in self.levels:
            if level.has_gap:
                return False
            if level.own(name):
                return True
        return True

    def lacks(self, name: str) -> bool:
        """Whether a directive is certainly not set."""
        return self.shows(name) and not self.effective(name)

    def one(self, name: str) -> Directive | None:
        """The directive that holds."""
        return next(iter(self.effective(name)), None)

    def flag(self, name: str) -> bool:
        """Whether a directive says "on"."""
        found = self.one(name)
        return found is not None and found.args[:1] == ("on",)

    def time_s(self, name: str, default_s: float = _DEFAULT_TIMEOUT_S) -> float:
        """The time that holds, in seconds; the default where none, or none that can be read."""
        found = self.one(name)
        try:
            return parse_time(found.args[0]) if found is not None else default_s
        except (ValueError, IndexError):
            return default_s

    def fields(self, name: str) -> list[Directive]:
        """The lines of `proxy_set_header` that hold for one field."""
        lines = self.effective("proxy_set_header")
        return [line for line in lines if len(line.args) == 2 and line.args[0].lower() == name]

    def value(self, name: str) -> str | None:
        """What `proxy_set_header` says for a field, None where it says nothing.

        A line whose value is empty sends nothing; of several others each is sent.
        """
        values = [line.args[1] for line in self.fields(name)]
        return ", ".join(filter(None, values)) if values else None

    def hidden(self, name: str) -> Sequence[Directive]:
        """The lines of the nearest outer block that this one's own lines drop."""
        found = [own for level in self.levels if (own := level.own(name))]
        return found[1] if len(found) > 1 else ()


@dataclass(frozen=True)
class Site:
    """All that the rules look at, with what they look up in files of thousands of servers.

    version None: not known, and both readings of what depends on it are told. sources: the text of
    each file by its name. is_alone: no other file shows where WebSockets go.
    """

    kind: Kind
    top: tuple[Directive, ...]
    places: tuple[Place, ...]
    version: Version | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    is_alone: bool = True

    @cached_property
    def http(self) -> Sequence[Directive]:
        """The directives at the http level, as far as the file shows it."""
        if self.kind is Kind.WHOLE:
            blocks = [line.block or () for line in self.top if line.name == "http"]
            return [line for block in blocks for line in block]
        return self.top if self.kind is Kind.HTTP else ()

    @cached_property
    def proxied(self) -> Sequence[Place]:
        """The places that pass requests on by `proxy_pass`."""
        return [place for place in self.places if place.passes is not None]

    @cached_property
    def websockets(self) -> Sequence[Place]:
        """The places that pass Upgrade on."""
        return [place for place in self.proxied if place.evidence is Evidence.SET]

    def beside(self, place: Place) -> Sequence[Place]:
        """All places of a place's server, itself among them."""
        return self._by_server[place.server]

    def is_spare(self, place: Place) -> bool:
        """Whether another location of its server is called as those for WebSockets are."""
        return not names_websockets(place.pattern) and any(
            other.evidence is Evidence.SET and names_websockets(other.pattern)
            for other in self.beside(place)
        )

    def upstream(self, name: str) -> Directive | None:
        """The `upstream` of a name."""
        return self._upstreams.get(name.lower())

    def upstream_of(self, place: Place) -> Directive | None:
        """The `upstream` that a place's proxy_pass names."""
        passed = place.passes
        if passed is None:
            return None
        return self.upstream(authority(passed.args[0]))

    def map_of(self, variable: str) -> Directive | None:
        """The `map` that gives "$variable" its value."""
        return self._maps.get(variable)

    def may_be_before(self, version: Version) -> bool:
        """Whether the nginx may be older than a version."""
        return self.version is None or self.version < version

    def http_version(self, place: Place) -> str:
        """The version of HTTP that goes upstream; "1.0 or 1.1" where the nginx decides."""
        found = place.one("proxy_http_version")
        if found is not None and found.args:
            return found.args[0]
        if self.version is None:
            return "1.0 or 1.1"
        return "1.0" if self.version < _HTTP_1_1_DEFAULT_SINCE else "1.1"

    @cached_property
    def _by_server(self) -> Mapping[Level | None, Sequence[Place]]:
        found: dict[Level | None, list[Place]] = {}
        for place in self.places:
            found.setdefault(place.server, []).append(place)
        return found

    @cached_property
    def _upstreams(self) -> Mapping[str, Directive]:
        lines = [line for line in self.http if line.name == "upstream" and line.args]
        return {line.args[0].lower(): line for line in reversed(lines)}

    @cached_property
    def _maps(self) -> Mapping[str, Directive]:
        lines = [line for line in self.http if line.name == "map" and len(line.args) == 2]
        return {line.args[1]: line for line in reversed(lines)}


def make_site(
    directives: Sequence[Directive],
    *,
    version: Version | None = None,
    sources: Mapping[str, str] | None = None,
    is_alone: bool = True,
) -> Site:
    """Return what the rules look at."""
    top = tuple(directives)
    kind = _kind_of(top)
    texts = sources or {}
    places = tuple(
        Place(found.levels, _weigh(found, texts)) for found in _places((Level(None, top),))
    )
    return Site(kind, top, places, version, texts, is_alone)


def authority(url: str) -> str:
    """Return the host and port of a proxy_pass's URL."""
    return url.partition("://")[2].partition("/")[0]


def octets_of(directive: Directive) -> int:
    """Return how far a directive reaches on its first line, at least its name."""
    if directive.end.line == directive.line and directive.end.file == directive.file:
        return max(directive.end.column - directive.column + 1, len(directive.name))
    return len(" ".join((directive.name, *directive.args)))


def show(position: Position) -> str:
    """Return a place as it is written in messages."""
    return f"{position.file}:{position.line}"


def _kind_of(top: Sequence[Directive]) -> Kind:
    names = {line.name for line in top}
    if names & {"http", "events"}:
        return Kind.WHOLE
    if names & {"server", "upstream", "map", "geo", "limit_req_zone", "limit_conn_zone"}:
        return Kind.HTTP
    if names & {"location", "server_name", "listen"}:
        return Kind.SERVER
    return Kind.LOCATION


def _places(levels: tuple[Level, ...]) -> Iterator[Place]:
    """Yield every block that answers requests, in the file's order."""
    own = levels[0]
    is_location = own.directive is not None and own.directive.name in ("location", "if")
    if is_location or own.own("proxy_pass"):
        yield Place(levels)
    for line in own.lines:
        if line.block is not None and line.name in ("http", "server", "location", "if"):
            yield from _places((Level(line, line.block), *levels))


def _weigh(place: Place, sources: Mapping[str, str]) -> Evidence:
    if place.passes is None:
        return Evidence.NONE
    if any(line.args[1] for line in place.fields("upgrade")):
        return Evidence.SET
    if names_websockets(place.pattern) or (place.is_root and _is_host_named(place)):
        return Evidence.NAMED
    return Evidence.TOLD if _has_comment(place, sources) else Evidence.NONE


def _is_host_named(place: Place) -> bool:
    """Whether a server, or the upstream of its root, is called as those for WebSockets are."""
    server, passed = place.server, place.passes
    names = [authority(passed.args[0])] if passed is not None else []
    for line in server.own("server_name") if server is not None else ():
        names += line.args
    return any(names_websockets(name) for name in names)


def _has_comment(place: Place, sources: Mapping[str, str]) -> bool:
    """Whether a comment in or right above a location speaks of WebSockets."""
    block = place.block.directive
    if block is None:
        return False
    lines = sources.get(block.file, "").split("\n")
    return any(comments_on_websockets(line) for line in lines[block.line - 2 : block.end.line])


def _is_block(level: Level, name: str) -> bool:
    return level.directive is not None and level.directive.name == name
