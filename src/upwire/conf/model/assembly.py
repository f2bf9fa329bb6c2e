"""What the parts of one build share: the version, the faults, and the names that were defined."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from upwire.conf.directives import Context, Version
from upwire.conf.model.types import LimitConnZone, LimitReqZone, LogFormat
from upwire.conf.model.types.charset import Recoding
from upwire.conf.regex import Regex
from upwire.conf.syntax import Directive, Faults, Position
from upwire.conf.validate import find_spec
from upwire.conf.values import parse_number, parse_offset, parse_size, parse_time
from upwire.conf.variables import Template
from upwire.errors import ConfigError

T = TypeVar("T")

HTTP_LEVELS = Context.HTTP | Context.SERVER | Context.LOCATION


class Wrong(Exception):
    """What a reader says of a directive that nginx refuses: its message, and the place."""

    def __init__(self, message: str, at: Position) -> None:
        super().__init__(message)
        self.message = message
        self.at = at


class Assembly:
    """One build. upstreams are keyed in lower case, as nginx compares their names.

    log_formats hold those read so far, with the place of each. The limits' zones are read first.
    is_partial: directives were dropped as wrong, so that a missing name is no fault of its own.
    """

    def __init__(self, version: Version, faults: Faults, *, is_partial: bool) -> None:
        self.version = version
        self.faults = faults
        self.is_partial = is_partial
        self.upstreams: dict[str, Directive] = {}
        self.set_variables: set[str] = set()
        self.recodings: dict[tuple[str, str], Recoding] = {}
        self.log_formats: dict[str, tuple[LogFormat, Position]] = {}
        self.limit_req_zones: dict[str, LimitReqZone] = {}
        self.limit_conn_zones: dict[str, LimitConnZone] = {}
        self._read: dict[tuple[object, int], object] = {}

    def read(self, reader: Callable[[Directive, Assembly], T], directive: Directive) -> T | None:
        """Return what reader makes of a directive, asked once; None where it raised Wrong.

        The fault is noted the first time, however many levels inherit the directive.
        """
        key = (reader, id(directive))
        if key not in self._read:
            try:
                self._read[key] = reader(directive, self)
            except Wrong as wrong:
                self.fault(wrong.message, wrong.at)
                self._read[key] = None
        found = self._read[key]
        return found  # type: ignore[return-value]  # the key holds the reader, and so the type

    def read_all(
        self, reader: Callable[[Directive, Assembly], T | None], directives: Sequence[Directive]
    ) -> tuple[T, ...]:
        """Return what reader makes of each directive that is right."""
        found = (self.read(reader, directive) for directive in directives)
        return tuple(one for one in found if one is not None)

    def fault(self, message: str, at: Position) -> None:
        """Note what nginx refuses to start with."""
        self.faults.add(message, at)

    def missing(self, message: str, at: Position | None) -> None:
        """Note that something is not there, unless it may have been dropped."""
        if not self.is_partial:
            self.faults.add(message, at)

    def warn(self, message: str, at: Position) -> None:
        """Note what nginx would say at `warn`."""
        self.faults.add(message, at, "warn")

    def template(self, text: str) -> Template:
        """Compile text; what is wrong with it was noted when all variables were checked."""
        try:
            return Template.compile(text)
        except ConfigError:
            return Template.literal(text)


def compile_regex(pattern: str, at: Position, *, is_caseless: bool = False) -> Regex:
    """Compile an expression; raises Wrong with nginx's words."""
    try:
        return Regex(pattern, is_caseless=is_caseless)
    except ConfigError as error:
        raise Wrong(error.problems[0].message, at) from None


class Scope:
    """The directives of one level, and the levels around it.

    A level that has a directive hides all lines of it above: so nginx merges single values and
    arrays alike. The values were checked before; defaults are those of the table.
    """

    def __init__(
        self,
        directives: Sequence[Directive],
        version: Version,
        parent: Scope | None = None,
        context: Context = HTTP_LEVELS,
    ) -> None:
        self.directives = directives
        self._parent = parent
        self._version = version
        self._context = context
        self._by_name: dict[str, list[Directive]] = {}
        for directive in directives:
            self._by_name.setdefault(directive.name, []).append(directive)

    def inner(self, directives: Sequence[Directive]) -> Scope:
        """Return the scope of a block inside this one."""
        return Scope(directives, self._version, self, self._context)

    def own(self, name: str) -> list[Directive]:
        """This level's own lines of a directive."""
        return self._by_name.get(name, [])

    def own_one(self, name: str) -> Directive | None:
        """This level's own directive, the first where there are more."""
        return next(iter(self.own(name)), None)

    def effective(self, *names: str) -> list[Directive]:
        """The lines of the innermost level that has any of these, in their order."""
        for scope in self._outwards():
            if any(scope.own(name) for name in names):
                return [line for line in scope.directives if line.name in names]
        return []

    def one(self, name: str) -> Directive | None:
        """The directive of the innermost level that has it."""
        return next(iter(self.effective(name)), None)

    def level(self, directive: Directive) -> int:
        """How many levels further out a directive that holds stands."""
        scopes = enumerate(self._outwards())
        return next(level for level, scope in scopes if directive in scope.own(directive.name))

    @property
    def parent(self) -> Scope | None:
        """The level around this one."""
        return self._parent

    def args(self, name: str) -> tuple[str, ...] | None:
        """The arguments that hold, the table's default included; None where there is neither."""
        directive = self.one(name)
        if directive is not None:
            return directive.args
        row = find_spec(name, self._context)
        default = row.default_in(self._version) if row is not None else None
        return tuple(default.split()) if default is not None else None

    def text(self, name: str) -> str:
        """The first argument that holds."""
        args = self.args(name)
        assert args is not None, name
        return args[0]

    def flag(self, name: str) -> bool:
        """Whether a directive says "on"."""
        return self.text(name).lower() == "on"

    def number(self, name: str) -> int:
        """A directive's number."""
        return parse_number(self.text(name))

    def time_s(self, name: str) -> float:
        """A directive's time, in seconds."""
        return parse_time(self.text(name))

    def octets(self, name: str) -> int:
        """A directive's size."""
        return parse_size(self.text(name))

    def offset(self, name: str) -> int:
        """A directive's size, which may be counted in gigabytes."""
        return parse_offset(self.text(name))

    def _outwards(self) -> Iterator[Scope]:
        scope: Scope | None = self
        while scope is not None:
            yield scope
            scope = scope._parent
