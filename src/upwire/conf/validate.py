"""The tree against the directive table: nginx's checks that need one directive alone.

Unknown names, wrong places, wrong counts of arguments, missing or needless blocks, duplicates, and
the values that nginx reads with its common setters (ngx_conf_set_flag_slot() and its like).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from upwire.conf.directives import TABLE, Context, DirectiveSpec, Kind
from upwire.conf.syntax import Directive, Faults
from upwire.conf.values import parse_number, parse_offset, parse_size, parse_time

_INNER = {  # the context inside a block, by its name and the context that it stands in
    ("events", Context.MAIN): Context.EVENTS,
    ("http", Context.MAIN): Context.HTTP,
    ("stream", Context.MAIN): Context.STREAM,
    ("mail", Context.MAIN): Context.MAIL,
    ("server", Context.HTTP): Context.SERVER,
    ("server", Context.STREAM): Context.STREAM_SERVER,
    ("server", Context.MAIL): Context.MAIL_SERVER,
    ("upstream", Context.HTTP): Context.UPSTREAM,
    ("upstream", Context.STREAM): Context.STREAM_UPSTREAM,
    ("location", Context.SERVER): Context.LOCATION,
    ("location", Context.LOCATION): Context.LOCATION,
    ("if", Context.SERVER): Context.SERVER_IF,
    ("if", Context.LOCATION): Context.LOCATION_IF,
    ("limit_except", Context.LOCATION): Context.LIMIT_EXCEPT,
}


def find_spec(name: str, context: Context) -> DirectiveSpec | None:
    """Return the row for a directive in a context; nginx takes the first that fits."""
    return next((row for row in TABLE.get(name, ()) if row.contexts & context), None)


class Validator:
    """Walks a tree and drops what is wrong from it.

    accepted: the directives that are right and not acted on, the first of each name. unguarded: a
    warning for each of them that guards something. is_partial: something was dropped, so that
    what refers to it may seem to be missing.
    """

    def __init__(self, faults: Faults) -> None:
        self.accepted: dict[str, Directive] = {}
        self.unguarded = Faults()
        self.is_partial = False
        self._faults = faults

    def check(
        self, directives: Sequence[Directive], context: Context = Context.MAIN
    ) -> tuple[Directive, ...]:
        """Return the directives that are right in this context, their blocks checked as well."""
        seen: set[str] = set()
        kept: list[Directive] = []
        for directive in directives:
            row = self._find(directive, context)
            if row is None or not self._fits(directive, row, seen):
                self.is_partial = True
                continue
            seen.add(directive.name)
            if not row.acted:
                self._accept(directive, row)
            kept.append(self._check_block(directive, row, context))
        return tuple(kept)

    def _accept(self, directive: Directive, row: DirectiveSpec) -> None:
        """Keep what is not acted on; warn where somebody may count on it."""
        self.accepted.setdefault(directive.name, directive)
        if row.unacted and directive.args != (row.default,):
            message = f"{row.unacted}: Upwire does not act on {directive.name} yet"
            self.unguarded.add(message, directive.position, "warn")

    def _find(self, directive: Directive, context: Context) -> DirectiveSpec | None:
        row = find_spec(directive.name, context)
        if row is None:
            if directive.block is not None:
                self._faults.drop_between(directive.position, directive.end)
            if directive.name in TABLE:
                message = f'"{directive.name}" directive is not allowed here'
            else:
                message = f'unknown directive "{directive.name}"'
            self._faults.add(message, directive.position)
        return row

    def _fits(self, directive: Directive, row: DirectiveSpec, seen: set[str]) -> bool:
        """Whether block, arguments and values are as the row wants; notes the first fault."""
        name = directive.name
        if directive.block is not None and not row.is_block:
            self._faults.drop_between(directive.position, directive.end)
            message = f'directive "{name}" is not terminated by ";"'
        elif directive.block is None and row.is_block:
            message = f'directive "{name}" has no opening "{{"'
        elif not row.takes(len(directive.args)):
            message = f'invalid number of arguments in "{name}" directive'
        elif row.is_unique and name in seen:
            message = f'"{name}" directive is duplicate'
        else:
            check = _VALUE_CHECKS.get(row.kind)
            return check is None or check(directive, row, self._faults)
        self._faults.add(message, directive.position)
        return False

    def _check_block(self, directive: Directive, row: DirectiveSpec, context: Context) -> Directive:
        if directive.block is None:
            return directive
        if row.kind is Kind.TABLE:
            for line in directive.block:
                if line.block is not None:
                    self._faults.add('unexpected "{"', line.end)
            block = tuple(line for line in directive.block if line.block is None)
            return replace(directive, block=block)
        inner = _INNER[directive.name, context]
        return replace(directive, block=self.check(directive.block, inner))


ValueCheck = Callable[[Directive, DirectiveSpec, Faults], bool]


def _check_flag(directive: Directive, row: DirectiveSpec, faults: Faults) -> bool:
    value = directive.args[0]
    if value.lower() in ("on", "off"):
        return True
    faults.add(
        f'invalid value "{value}" in "{directive.name}" directive, it must be "on" or "off"',
        directive.arg_positions[0],
    )
    return False


def _check_choice(directive: Directive, row: DirectiveSpec, faults: Faults) -> bool:
    choices = [choice.lower() for choice in row.choices]
    for value, position in zip(directive.args, directive.arg_positions, strict=True):
        if value.lower() not in choices:
            faults.add(f'invalid value "{value}"', position)
            return False
    for at, value in enumerate(directive.args):
        if value in directive.args[:at]:
            faults.add(f'duplicate value "{value}"', directive.arg_positions[at], "warn")
    return True


def _check_number(directive: Directive, row: DirectiveSpec, faults: Faults) -> bool:
    try:
        number = parse_number(directive.args[0])
    except ValueError:
        message = f'"{directive.name}" directive invalid number'
    else:
        if row.limits is None or row.limits[0] <= number <= row.limits[1]:
            return True
        message = f"value must be between {row.limits[0]} and {row.limits[1]}"
    faults.add(message, directive.arg_positions[0])
    return False


def _check_buffers(directive: Directive, row: DirectiveSpec, faults: Faults) -> bool:
    count, size = directive.args
    try:
        is_right = parse_number(count) > 0 and parse_size(size) > 0
    except ValueError:
        is_right = False
    if not is_right:
        faults.add(f'"{directive.name}" directive invalid value', directive.arg_positions[0])
    return is_right


def _check_read(read: Callable[[str], object]) -> ValueCheck:
    """Return the check of a value that read() raises ValueError for."""

    def check(directive: Directive, row: DirectiveSpec, faults: Faults) -> bool:
        try:
            read(directive.args[0])
        except ValueError:
            faults.add(f'"{directive.name}" directive invalid value', directive.arg_positions[0])
            return False
        return True

    return check


def _read_size_template(text: str) -> int:
    return 0 if "$" in text else parse_size(text)


def _read_seconds(text: str) -> float:
    return parse_time(text, least_is_seconds=True)


_VALUE_CHECKS: dict[Kind, ValueCheck] = {
    Kind.FLAG: _check_flag,
    Kind.ENUM: _check_choice,
    Kind.BITMASK: _check_choice,
    Kind.BUFFERS: _check_buffers,
    Kind.NUMBER: _check_number,
    Kind.SIZE: _check_read(parse_size),
    Kind.SIZE_TEMPLATE: _check_read(_read_size_template),
    Kind.OFFSET: _check_read(parse_offset),
    Kind.TIME: _check_read(parse_time),
    Kind.SECONDS: _check_read(_read_seconds),
}
