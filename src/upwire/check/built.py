"""A configuration as the proxy builds it: what --map and --explain read."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

from upwire.check.refusals import unknown_directives
from upwire.check.verdict import Verdict
from upwire.conf.audit import Kind
from upwire.conf.model import Config, Instruction, Location, Return, Server, build
from upwire.conf.syntax import Directive, Faults, Tree
from upwire.errors import ConfigError, LocalProtocolError
from upwire.proxy.load import NGINX_VERSION


def build_whole(verdict: Verdict) -> Config:
    """Return the model of a whole file, without what left_out() names.

    Raises LocalProtocolError where it has none.
    """
    reading = verdict.reading
    if verdict.kind is not Kind.WHOLE:
        raise LocalProtocolError(f"{reading.path}: a whole nginx.conf is needed, with its http")
    try:
        faults = Faults()
        faults.extend(reading.tree.faults)
        for line, _ in reading.unread_includes():
            faults.drop_between(line.position, line.end)
        unknown = {id(line) for line in unknown_directives(reading.tree.directives)}
        tree = Tree(_without(reading.tree.directives, unknown), faults)
        return build(tree, version=verdict.version or NGINX_VERSION)
    except ConfigError as error:
        first = error.problems[0]
        raise LocalProtocolError(f"{reading.path}: does not load: {first}") from None


def left_out(verdict: Verdict) -> list[Directive]:
    """Return what the model cannot have: files that are not here, other modules' directives."""
    reading = verdict.reading
    unread = [line for line, _ in reading.unread_includes()]
    return [*unread, *unknown_directives(reading.tree.directives)]


def _without(directives: Iterable[Directive], unwanted: Container[int]) -> tuple[Directive, ...]:
    """Return directives without those of some identities, in all blocks."""
    return tuple(
        line if line.block is None else replace(line, block=_without(line.block, unwanted))
        for line in directives
        if id(line) not in unwanted
    )


def label_of(location: Location) -> str:
    """Return a location as it is written: `location = /ws`."""
    sign = location.kind.value
    separator = "" if sign in ("", "@") else " "
    return f"location {sign}{separator}{location.pattern}"


def name_of(server: Server) -> str:
    """Return how people call a server: by its names, or by that it has none."""
    names = ", ".join(name.pattern for name in server.names if name.pattern)
    return names or "(no name)"


def own_answer(instructions: Sequence[Instruction]) -> str | None:
    """Return what a `return` answers that is no part of an `if`."""
    answer = next((one for one in instructions if isinstance(one, Return)), None)
    if answer is None:
        return None
    return f"{answer.status} {answer.text.text}" if answer.text else str(answer.status)


def addresses_of(server: Server) -> str:
    """Return where a server listens."""
    return ", ".join(
        (f"unix:{listen.unix}" if listen.unix else f"{listen.host}:{listen.port}")
        + (" ssl" if listen.ssl else "")
        for listen in server.listens
    )
