"""What ngx_http_rewrite_module runs, in the order of the file."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from upwire.conf.regex import Regex
from upwire.conf.variables import Template

if TYPE_CHECKING:
    from upwire.conf.model.types.location import LocationSettings


@dataclass(frozen=True, slots=True)
class Return:
    """`return`: a status, and a body, or a URL where the status is 301, 302, 303, 307 or 308.

    `return URL` has status 302; `return 444` closes without an answer. text None: nginx's own page.
    """

    status: int
    text: Template | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """`break`: nothing more is run at this level, and no other location is looked for."""


@dataclass(frozen=True, slots=True)
class SetVariable:
    """`set`; name is without "$", in lower case."""

    name: str
    value: Template


class After(enum.Enum):
    """What follows a `rewrite` that matched."""

    NEXT = ""  # the next instruction
    LAST = "last"
    BREAK = "break"
    REDIRECT = "redirect"  # to the client, with the rewrite's status


@dataclass(frozen=True, slots=True)
class Rewrite:
    """`rewrite`: path, and args where the replacement has a "?", take the place of the request's.

    keeps_args: the request's own arguments follow. status: of a redirect, whose path is the whole
    replacement; has_query: it holds a "?".
    """

    regex: Regex
    path: Template
    args: Template | None
    keeps_args: bool
    after: After
    status: int = 0
    has_query: bool = False


class Predicate(enum.Enum):
    """What `if` asks about its subject."""

    IS_SET = ""  # neither empty nor "0"
    EQUALS = "="
    MATCHES = "~"
    IS_FILE = "-f"
    IS_DIRECTORY = "-d"
    EXISTS = "-e"
    IS_EXECUTABLE = "-x"


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition of an `if`. operand: the text of EQUALS, the expression of MATCHES."""

    subject: Template
    test: Predicate
    operand: Template | Regex | None = None
    is_negated: bool = False


@dataclass(frozen=True, slots=True)
class If:
    """`if`. settings: what holds from then on where it stands in a location."""

    condition: Condition
    body: tuple[Instruction, ...]
    settings: LocationSettings | None = None


Instruction = Return | Break | SetVariable | Rewrite | If
