"""A `map`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from upwire.conf.regex import Regex
from upwire.conf.syntax import Position
from upwire.conf.variables import Template


@dataclass(frozen=True, slots=True)
class Map:
    """A `map`: source is looked up, and the template found is variable's value.

    exact, leading ("*.example.com" as ".example.com") and trailing ("www.*" as "www.") are keyed in
    lower case; the last two are filled with `hostnames` only. regexes are tried in their order.
    """

    variable: str
    source: Template
    default: Template
    position: Position
    exact: Mapping[str, Template] = field(default_factory=dict)
    leading: Mapping[str, Template] = field(default_factory=dict)
    trailing: Mapping[str, Template] = field(default_factory=dict)
    regexes: tuple[tuple[Regex, Template], ...] = ()
    hostnames: bool = False
    volatile: bool = False

    def find(self, value: str) -> tuple[Template, tuple[str, ...] | None]:
        """Return the template for value, and the captures where an expression matched it."""
        key = value.lower().removesuffix(".") if self.hostnames else value.lower()
        found = self.exact.get(key) or self._find_wildcard(key)
        if found is not None:
            return found, None
        for regex, template in self.regexes:
            captures = regex.search(value)
            if captures is not None:
                return template, captures
        return self.default, None

    def _find_wildcard(self, key: str) -> Template | None:
        """Return the longest leading wildcard's template, or else the longest trailing one's."""
        labels = key.split(".")
        for start in range(1, len(labels)):
            found = self.leading.get("." + ".".join(labels[start:]))
            if found is not None:
                return found
        for end in range(len(labels) - 1, 0, -1):
            found = self.trailing.get(".".join(labels[:end]) + ".")
            if found is not None:
                return found
        return None
