"""What one row of the directive table says."""

from __future__ import annotations

import enum
from dataclasses import dataclass

Version = tuple[int, int, int]


class Context(enum.Flag):
    """Where a directive may stand: the blocks of nginx, the top of the file among them."""

    MAIN = enum.auto()
    EVENTS = enum.auto()
    HTTP = enum.auto()
    SERVER = enum.auto()
    LOCATION = enum.auto()
    UPSTREAM = enum.auto()
    SERVER_IF = enum.auto()
    LOCATION_IF = enum.auto()
    LIMIT_EXCEPT = enum.auto()
    STREAM = enum.auto()
    STREAM_SERVER = enum.auto()
    STREAM_UPSTREAM = enum.auto()
    MAIL = enum.auto()
    MAIL_SERVER = enum.auto()


# Short names, so that a row of the table stays one line.
M, EV = Context.MAIN, Context.EVENTS
H, S, L, UP = Context.HTTP, Context.SERVER, Context.LOCATION, Context.UPSTREAM
SIF, LIF, LMT = Context.SERVER_IF, Context.LOCATION_IF, Context.LIMIT_EXCEPT
HS, SL, HSL = H | S, S | L, H | S | L
ST, STS, STUP = Context.STREAM, Context.STREAM_SERVER, Context.STREAM_UPSTREAM
ML, MLS = Context.MAIL, Context.MAIL_SERVER
ANY = ~Context(0)


class Kind(enum.Enum):
    """What nginx reads the arguments as, for the ones that its common setters read.

    OTHER arguments have rules of their own, which conf/model knows where we act on them.
    """

    OTHER = enum.auto()
    FLAG = enum.auto()  # on | off
    NUMBER = enum.auto()
    SIZE = enum.auto()  # octets, with k or m
    OFFSET = enum.auto()  # octets, with k, m or g
    TIME = enum.auto()  # milliseconds are the least unit
    SECONDS = enum.auto()  # seconds are the least unit
    ENUM = enum.auto()  # one of choices
    BITMASK = enum.auto()  # any of choices
    STRING = enum.auto()
    STRINGS = enum.auto()  # one of each line is kept
    PAIRS = enum.auto()  # name and value of each line are kept
    TEMPLATE = enum.auto()  # a text with variables
    SIZE_TEMPLATE = enum.auto()  # a size, or a text with variables
    BUFFERS = enum.auto()  # a number and a size
    PATH = enum.auto()  # a folder and the depth of folders below it
    ACCESS = enum.auto()  # user:rw group:r
    BLOCK = enum.auto()  # { other directives }
    TABLE = enum.auto()  # { lines that are no directives }


class Inherit(enum.Enum):
    """What a level gets from the one above where it does not have the directive itself."""

    NONE = enum.auto()
    VALUE = enum.auto()
    ARRAY = enum.auto()  # all lines of a level; one own line drops all of those above


FLAG, NUMBER, SIZE, OFFSET = Kind.FLAG, Kind.NUMBER, Kind.SIZE, Kind.OFFSET
TIME, SECONDS, ENUM, BITMASK = Kind.TIME, Kind.SECONDS, Kind.ENUM, Kind.BITMASK
STRING, STRINGS, PAIRS, TEMPLATE = Kind.STRING, Kind.STRINGS, Kind.PAIRS, Kind.TEMPLATE
SIZE_TEMPLATE, BUFFERS, PATH, ACCESS = Kind.SIZE_TEMPLATE, Kind.BUFFERS, Kind.PATH, Kind.ACCESS
BLOCK, TABLE = Kind.BLOCK, Kind.TABLE
NONE, ARRAY = Inherit.NONE, Inherit.ARRAY


@dataclass(frozen=True, slots=True)
class DirectiveSpec:
    """One directive of one nginx module.

    arity: the counts of arguments allowed, a digit each ("12" is one or two), "1+" or "2+" for at
    least so many, "*" for any. default: as nginx's documentation has it; None where there is none.
    choices are the words of an ENUM or BITMASK, limits the least and greatest NUMBER.
    repeats: a second one at the same level is no fault, as for every ARRAY; else it "is duplicate".
    since: the first nginx to have it, noted from 1.13 on. formerly: the default before a version,
    and that version. acted: whether Upwire does what it says. unacted: what holds as long as a
    directive that guards something is not acted on; empty where nobody is less safe for it.
    """

    name: str
    contexts: Context
    kind: Kind = Kind.OTHER
    default: str | None = None
    arity: str = "1"
    choices: tuple[str, ...] = ()
    limits: tuple[int, int] | None = None
    inherits: Inherit = Inherit.VALUE
    repeats: bool = False
    since: Version | None = None
    formerly: tuple[str | None, Version] | None = None
    acted: bool = False
    unacted: str = ""
    module: str = ""

    @property
    def is_block(self) -> bool:
        """Whether "{" follows the arguments."""
        return self.kind in (Kind.BLOCK, Kind.TABLE)

    @property
    def is_unique(self) -> bool:
        """Whether a second one at the same level "is duplicate"."""
        return not self.repeats and self.inherits is not Inherit.ARRAY

    def default_in(self, version: Version) -> str | None:
        """The default of one version of nginx."""
        if self.formerly is not None and version < self.formerly[1]:
            return self.formerly[0]
        return self.default

    def takes(self, count: int) -> bool:
        """Whether nginx accepts so many arguments."""
        if self.arity == "*":
            return True
        if self.arity.endswith("+"):
            return count >= int(self.arity[:-1])
        return count < 10 and str(count) in self.arity
