"""`map`: a variable whose value another text chooses."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Wrong, compile_regex
from upwire.conf.model.types import Map
from upwire.conf.regex import Regex
from upwire.conf.syntax import Directive, Position
from upwire.conf.variables import Template


class _Entries:
    """What the lines of a map block add up to."""

    def __init__(self, *, hostnames: bool) -> None:
        self.hostnames = hostnames
        self.default: Template | None = None
        self.exact: dict[str, Template] = {}
        self.leading: dict[str, Template] = {}
        self.trailing: dict[str, Template] = {}
        self.regexes: list[tuple[Regex, Template]] = []

    def add(self, key: str, value: Template, at: Position) -> None:
        """Put one line where it belongs; raises Wrong for a key that nginx refuses."""
        if key == "default":
            if self.default is not None:
                raise Wrong("duplicate default map parameter", at)
            self.default = value
        elif key.startswith("~"):
            is_caseless = key.startswith("~*")
            regex = compile_regex(key[2 if is_caseless else 1 :], at, is_caseless=is_caseless)
            self.regexes.append((regex, value))
        else:
            self._add_text(key.removeprefix("\\"), value, at)

    def _add_text(self, key: str, value: Template, at: Position) -> None:
        name = key.lower()
        if not self.hostnames:
            table = self.exact
        elif ".." in name or "*" in name.removeprefix("*.").removesuffix(".*"):
            raise Wrong(f'invalid hostname or wildcard "{key}"', at)
        elif name.startswith("."):
            if name[1:] in self.exact:
                raise Wrong(f'conflicting parameter "{name}"', at)
            self.exact[name[1:]] = value
            table = self.leading
        elif name.startswith("*."):
            table, name = self.leading, name[1:]
        elif name.endswith(".*"):
            table, name = self.trailing, name[:-1]
        else:
            table = self.exact
        if name in table:
            raise Wrong(f'conflicting parameter "{key.lower()}"', at)
        table[name] = value


def read_map(directive: Directive, assembly: Assembly) -> Map:
    """Return one map; lines that are wrong are noted and left out."""
    source, variable = directive.args
    flags = {line.name for line in directive.block or () if not line.args}
    entries = _Entries(hostnames="hostnames" in flags)
    for line in directive.block or ():
        if len(line.args) != 1:
            if line.args or line.name not in ("hostnames", "volatile"):
                assembly.fault("invalid number of the map parameters", line.position)
            continue
        try:
            entries.add(line.name, assembly.template(line.args[0]), line.position)
        except Wrong as wrong:
            assembly.fault(wrong.message, wrong.at)
    return Map(
        variable.removeprefix("$").lower(),
        assembly.template(source),
        entries.default or Template.literal(""),
        directive.position,
        entries.exact,
        entries.leading,
        entries.trailing,
        tuple(entries.regexes),
        hostnames=entries.hostnames,
        volatile="volatile" in flags,
    )
