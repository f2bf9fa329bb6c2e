"""nginx.conf's text to a tree of directives, each with file, line and column.

The rules are those of ngx_conf_read_token() in nginx's ngx_conf_file.c. Text is str decoded as
latin-1, one character an octet, so that columns count octets and nothing is lost. A fault does not
end the reading where a sensible next place is known: one run reports them all.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from upwire.errors import ConfigError, Problem

PARAMETER_OCTETS_MAX = 4096  # NGX_CONF_BUFFER: nginx refuses longer words and comments

BLOCK_DEPTH_MAX = 64  # nginx has no such limit but its stack; a right file needs 10

INCLUDE_DEPTH_MAX = 64  # nginx's limit is its open files

Reader = Callable[[str], bytes]  # raises OSError
Glob = Callable[[str], Iterable[str]]

_SPACE = " \t\r\n"
_ESCAPE = re.compile(r"\\([\"'\\trn])")
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n"}
_WORD_END = re.compile(r"[\\$ \t\r\n;{]")
_IS_A_DIRECTORY = 21  # EISDIR: nginx opens a directory and fails to read it


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; line and column count from 1.

    order counts the octets read before it, included files and all: it sorts the places of a run.
    """

    file: str
    line: int
    column: int
    order: int = 0


@dataclass(frozen=True, slots=True)
class Directive:
    """A name, its arguments with quotes and escapes resolved, and a block where it has one.

    position is the name's, arg_positions the arguments' (behind an opening quote: the quote's),
    end that of the final ";" or "}". Includes are resolved: block holds an `include` only where the
    file could not be read.
    """

    name: str
    args: tuple[str, ...]
    position: Position
    arg_positions: tuple[Position, ...]
    end: Position
    block: tuple[Directive, ...] | None = None

    @property
    def file(self) -> str:
        """The name of the file, as it was opened."""
        return self.position.file

    @property
    def line(self) -> int:
        """The line of the directive's name, from 1."""
        return self.position.line

    @property
    def column(self) -> int:
        """The column of the directive's name, from 1."""
        return self.position.column


class Faults:
    """Collects what is wrong with a configuration, and gives it back in file order."""

    def __init__(self) -> None:
        self._found: list[tuple[float, Problem]] = []

    def add(self, message: str, at: Position | None = None, severity: str = "emerg") -> None:
        """Note a fault; without a place it is reported behind all that have one."""
        text = message.encode("latin-1", "replace").decode("utf-8", "replace")
        if at is None:
            self._found.append((float("inf"), Problem(text, severity=severity)))
        else:
            self._found.append((at.order, Problem(text, at.file, at.line, at.column, severity)))

    def add_error(self, error: ConfigError, at: Position) -> None:
        """Note the faults of an error that was raised without a place."""
        for problem in error.problems:
            self.add(problem.message, at, problem.severity)

    def extend(self, other: Faults) -> None:
        """Take over all that other holds."""
        self._found.extend(other._found)

    def drop_between(self, start: Position, end: Position) -> None:
        """Forget what was found in a stretch of text that turned out not to be nginx's language."""
        self._found = [found for found in self._found if not start.order < found[0] <= end.order]

    def problems(self) -> tuple[Problem, ...]:
        """All faults in file order; those of one place in the order they were found, each once."""
        in_order = sorted(self._found, key=lambda found: found[0])
        return tuple(dict.fromkeys(problem for _, problem in in_order))


@dataclass(frozen=True, slots=True)
class Tree:
    """A configuration that was read: its directives, and what was wrong with its text."""

    directives: tuple[Directive, ...]
    faults: Faults


def parse(text: str, file: str = "nginx.conf") -> Tree:
    """Read one text; an `include` stays a directive."""
    faults = Faults()
    return Tree(tuple(_FileParser(text, file, faults).parse()), faults)


def load(
    path: str,
    reader: Reader,
    glob: Glob | None = None,
    *,
    parameters: str = "",
    folder: str | None = None,
) -> Tree:
    """Read a configuration with all its includes, and first the text of an option -g.

    reader gives a file's octets or raises OSError, glob the names that fit a pattern. Relative
    names are below folder, which is path's unless it is given; "" is where the process runs.
    Faults are kept in the tree: build() reports them with its own.
    """
    faults = Faults()
    prefix = path[: path.rfind("/") + 1] if folder is None else f"{folder}/" if folder else ""
    loader = _Loader(prefix, reader, glob, faults)
    directives = loader.read_parameters(parameters) if parameters else []
    directives += loader.read_file(path, None) or []
    return Tree(tuple(directives), faults)


class _Loader:
    """Follows includes, and keeps count of what was read."""

    def __init__(self, prefix: str, reader: Reader, glob: Glob | None, faults: Faults) -> None:
        self._prefix = prefix
        self._reader = reader
        self._glob = glob
        self._faults = faults
        self._open: list[str] = []
        self._order = 0

    def read_parameters(self, text: str) -> list[Directive]:
        """Read what an option -g gave; blocks and includes are as in a file."""
        return self._parse(text, "command line", end_message='parameter, expecting ";"')

    def read_file(self, name: str, included_at: Position | None) -> list[Directive] | None:
        """Read one file; None where that fails, which is noted at the include's argument."""
        if name in self._open:
            chain = " -> ".join([*self._open, name])
            self._faults.add(f'"{name}" includes itself: {chain}', included_at)
            return None
        if len(self._open) > INCLUDE_DEPTH_MAX:
            message = f"includes are nested deeper than {INCLUDE_DEPTH_MAX}"
            self._faults.add(message, included_at)
            return None
        try:
            octets = self._reader(name)
        except OSError as error:
            call = "pread" if error.errno == _IS_A_DIRECTORY else "open"
            reason = f"({error.errno}: {error.strerror})"
            self._faults.add(f'{call}() "{name}" failed {reason}', included_at)
            return None
        self._open.append(name)
        directives = self._parse(octets.decode("latin-1"), name)
        self._open.pop()
        return directives

    def _parse(self, text: str, file: str, **options: str) -> list[Directive]:
        parser = _FileParser(text, file, self._faults, self._order, self._include, **options)
        directives = parser.parse()
        self._order = parser.order + 1
        return directives

    def _include(self, directive: Directive, order: int) -> tuple[list[Directive], int]:
        """Return what an include stands for, and the count of octets behind it."""
        self._order = order
        name = directive.args[0]
        if not name.startswith("/"):
            name = self._prefix + name
        names = [name]
        if self._glob is not None and any(sign in name for sign in "*?["):
            names = sorted(self._glob(name))
        found: list[Directive] = []
        for one in names:
            read = self.read_file(one, directive.arg_positions[0])
            found += [directive] if read is None else read
        return found, self._order


class _Mark(enum.Enum):
    """What ended a statement."""

    SEMICOLON = enum.auto()
    BLOCK_START = enum.auto()
    BLOCK_END = enum.auto()
    FILE_END = enum.auto()


class _Unreadable(Exception):
    """The rest of a file makes no sense; the fault was noted."""


@dataclass(slots=True)
class _Block:
    """A block that is being read: the words before its "{", and what it holds so far."""

    words: Sequence[str]
    positions: Sequence[Position]
    directives: list[Directive]


_Include = Callable[[Directive, int], tuple[list[Directive], int]]


class _FileParser:
    """Reads one file's text; order counts the octets of the run so far."""

    def __init__(
        self,
        text: str,
        file: str,
        faults: Faults,
        order: int = 0,
        include: _Include | None = None,
        end_message: str = 'file, expecting ";" or "}"',
    ) -> None:
        self._text = text
        self._file = file
        self._faults = faults
        self._base = order
        self._include = include
        self._end_message = end_message
        self._at = 0
        self._line = 1
        self._line_start = 0
        self._counted_to = 0
        self._words: list[str] = []
        self._positions: list[Position] = []

    @property
    def order(self) -> int:
        """The octets of the run read so far."""
        return self._base + self._at

    def parse(self) -> list[Directive]:
        """Return the file's directives, as far as the text makes sense."""
        blocks = [_Block((), (), [])]
        try:
            while (mark := self._read_statement()) is not _Mark.FILE_END:
                self._take(mark, blocks)
        except _Unreadable:
            pass
        else:
            if len(blocks) > 1:
                self._faults.add('unexpected end of file, expecting "}"', self._here())
        while len(blocks) > 1:
            self._close_block(blocks)
        return blocks[0].directives

    def _take(self, mark: _Mark, blocks: list[_Block]) -> None:
        """Put a statement into the innermost block, or begin or end a block."""
        if mark is _Mark.BLOCK_START:
            if len(blocks) > BLOCK_DEPTH_MAX:
                message = f"blocks are nested deeper than {BLOCK_DEPTH_MAX}"
                self._faults.add(message, self._positions[0])
                raise _Unreadable
            blocks.append(_Block(self._words, self._positions, []))
        elif mark is _Mark.BLOCK_END:
            if len(blocks) > 1:
                self._close_block(blocks)
            else:
                self._faults.add('unexpected "}"', self._previous())
        else:
            directive = self._directive(self._words, self._positions, None)
            if self._include and directive.name == "include" and len(directive.args) == 1:
                included, order = self._include(directive, self.order)
                self._base = order - self._at
                blocks[-1].directives.extend(included)
            else:
                blocks[-1].directives.append(directive)

    def _close_block(self, blocks: list[_Block]) -> None:
        block = blocks.pop()
        directive = self._directive(block.words, block.positions, tuple(block.directives))
        blocks[-1].directives.append(directive)

    def _directive(
        self,
        words: Sequence[str],
        positions: Sequence[Position],
        block: tuple[Directive, ...] | None,
    ) -> Directive:
        name, *args = words
        start, *places = positions
        return Directive(name, tuple(args), start, tuple(places), self._previous(), block)

    def _read_statement(self) -> _Mark:
        """Read words up to ";", "{", "}" or the end of the file, which words must not meet."""
        self._words, self._positions = [], []
        text = self._text
        while True:
            self._skip_space()
            if self._at == len(text):
                if self._words:
                    self._fail_at_end()
                return _Mark.FILE_END
            sign = text[self._at]
            if sign in ";{}":
                mark = self._read_mark(sign)
                if mark is not None:
                    return mark
            else:
                self._read_word(sign)

    def _read_mark(self, sign: str) -> _Mark | None:
        """Return what sign ends; None for a ";" that ends nothing."""
        place = self._here()
        if bool(self._words) == (sign == "}"):
            self._faults.add(f'unexpected "{sign}"', place)
            if sign == "{":
                raise _Unreadable
        self._at += 1
        if sign == "}":
            return _Mark.BLOCK_END
        if not self._words:
            return None
        return _Mark.SEMICOLON if sign == ";" else _Mark.BLOCK_START

    def _skip_space(self) -> None:
        """Pass spaces and comments; a "#" begins one only where a word could begin."""
        text, end = self._text, len(self._text)
        while self._at < end:
            sign = text[self._at]
            if sign == "#":
                line_end = text.find("\n", self._at)
                line_end = end if line_end < 0 else line_end
                self._check_length(self._at, line_end, "", self._here())
                self._at = line_end
            elif sign in _SPACE:
                self._at += 1
            else:
                return

    def _read_word(self, sign: str) -> None:
        """Read one word, quoted or not, and resolve its escapes."""
        place = self._here()
        quote = sign if sign in "\"'" else ""
        start = self._at + len(quote)
        end = self._find_quote(quote, start) if quote else self._find_word_end(start)
        self._check_length(start, end, quote, place)
        if end == len(self._text):
            self._fail_at_end()
        self._at = end + len(quote)
        if quote:
            self._check_behind_quote()
        self._positions.append(place)
        self._words.append(_unescape(self._text[start:end]))

    def _find_quote(self, quote: str, start: int) -> int:
        """Return where the closing quote is, or the text's length; a "\\" hides what follows."""
        at = start
        while at < len(self._text) and self._text[at] != quote:
            at += 2 if self._text[at] == "\\" else 1
        return min(at, len(self._text))

    def _find_word_end(self, start: int) -> int:
        """Return where an unquoted word ends; "{" belongs to it right behind a "$"."""
        text, at = self._text, start
        while (found := _WORD_END.search(text, at)) is not None:
            at = found.start()
            if text[at] == "\\":
                at = min(at + 2, len(text))
            elif text[at] == "$":
                at += 1
                while text.startswith("{", at):
                    at += 1
            else:
                return at
        return len(text)

    def _check_behind_quote(self) -> None:
        """A quoted word ends with a space, ";", "{" or ")"; the last begins another word."""
        sign = self._text[self._at : self._at + 1]
        if sign and sign not in _SPACE + ";{)":
            self._faults.add(f'unexpected "{sign}"', self._here())
            if sign != "}":
                raise _Unreadable

    def _check_length(self, start: int, end: int, quote: str, place: Position) -> None:
        """Refuse what does not fit into nginx's buffer together with the octets behind it.

        Those are the one that ends a word, or the quote and another, as far as the file has them.
        """
        behind = min(len(self._text) - end, 1 + len(quote))
        if end - start + behind <= PARAMETER_OCTETS_MAX:
            return
        message = f'too long parameter "{self._text[start : start + 10]}..." started'
        if quote and end - start >= PARAMETER_OCTETS_MAX:
            message = f'too long parameter, probably missing terminating "{quote}" character'
        self._faults.add(message, place)
        raise _Unreadable

    def _fail_at_end(self) -> None:
        self._at = len(self._text)
        self._faults.add(f"unexpected end of {self._end_message}", self._here())
        raise _Unreadable

    def _here(self) -> Position:
        """The place of the next octet."""
        line_feeds = self._text.count("\n", self._counted_to, self._at)
        if line_feeds:
            self._line += line_feeds
            self._line_start = self._text.rfind("\n", self._counted_to, self._at) + 1
        self._counted_to = self._at
        return Position(self._file, self._line, self._at - self._line_start + 1, self.order)

    def _previous(self) -> Position:
        """The place of the octet that was read last."""
        here = self._here()
        return Position(here.file, here.line, here.column - 1, here.order - 1)


def _unescape(raw: str) -> str:
    """Resolve the escapes that nginx has; any other backslash stays."""
    if "\\" not in raw:
        return raw
    return _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), raw)
