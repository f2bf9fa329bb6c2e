"""`rewrite`, `return`, `break`, `set` and `if`: a level's instructions in their order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from upwire.conf.model.assembly import Assembly, Scope, Wrong, compile_regex
from upwire.conf.model.conditions import read_condition
from upwire.conf.model.proxy_rewrites import Place
from upwire.conf.model.settings import read_settings
from upwire.conf.model.types import LocationSettings
from upwire.conf.model.types.rewrite import (
    After,
    Break,
    If,
    Instruction,
    Return,
    Rewrite,
    SetVariable,
)
from upwire.conf.syntax import Directive

_URLS = ("http://", "https://", "$scheme")
_IN_CONDITION = Place(None)
_FLAGS = {
    "last": (After.LAST, 0),
    "break": (After.BREAK, 0),
    "redirect": (After.REDIRECT, 302),
    "permanent": (After.REDIRECT, 301),
}


def read_instructions(
    scope: Scope, settings: LocationSettings | None, assembly: Assembly
) -> tuple[Instruction, ...]:
    """Return what one level runs. settings: those of the location, None at the server's level."""
    found: list[Instruction] = []
    for directive in scope.directives:
        if directive.name == "if":
            condition = assembly.read(read_condition, directive)
            inner = scope.inner(directive.block or ())
            body = read_instructions(inner, None, assembly)
            own = read_inner_settings(inner, settings, assembly) if settings is not None else None
            if condition is not None:
                found.append(If(condition, body, own))
        elif (reader := _READERS.get(directive.name)) is not None:
            instruction = assembly.read(reader, directive)
            if instruction is not None:
                found.append(instruction)
    return tuple(found)


def read_inner_settings(
    scope: Scope, outer: LocationSettings, assembly: Assembly
) -> LocationSettings:
    """Return what holds in an `if` or limit_except of a location, which lends it its handler."""
    own = read_settings(scope, _IN_CONDITION, assembly)
    if own.handler is not None:
        return replace(own, alias_octets=outer.alias_octets)
    redirects = own.proxy.redirects if scope.own("proxy_redirect") else outer.proxy.redirects
    proxy = replace(own.proxy, pass_=outer.proxy.pass_, redirects=redirects)
    return replace(own, handler=outer.handler, proxy=proxy, alias_octets=outer.alias_octets)


def read_return(directive: Directive, assembly: Assembly) -> Return:
    """Return the status and the text; a single URL means 302."""
    code, *text = directive.args
    if not (code.isascii() and code.isdigit()):
        if not text and code.startswith(_URLS):
            return Return(302, assembly.template(code))
        raise Wrong(f'invalid return code "{code}"', directive.arg_positions[0])
    if len(code) > 18 or int(code) > 999:
        raise Wrong(f'invalid return code "{code}"', directive.arg_positions[0])
    return Return(int(code), assembly.template(text[0]) if text else None)


def read_rewrite(directive: Directive, assembly: Assembly) -> Rewrite:
    """Return one `rewrite`; a replacement that is a URL is a redirect."""
    pattern, replacement, *flags = directive.args
    if not replacement:
        raise Wrong("empty replacement", directive.position)
    after, status = (After.REDIRECT, 302) if replacement.startswith(_URLS) else (After.NEXT, 0)
    if flags:
        if flags[0] not in _FLAGS:
            raise Wrong(f'invalid parameter "{flags[0]}"', directive.arg_positions[2])
        asked, asked_status = _FLAGS[flags[0]]
        status = asked_status or status
        after = After.REDIRECT if status else asked
    text = replacement.removesuffix("?")
    path, question_mark, args = text.partition("?") if not status else (text, "", "")
    return Rewrite(
        regex=compile_regex(pattern, directive.arg_positions[0]),
        path=assembly.template(path),
        args=assembly.template(args) if question_mark else None,
        keeps_args=text == replacement,
        after=after,
        status=status,
        has_query="?" in text,
    )


def read_set(directive: Directive, assembly: Assembly) -> SetVariable:
    """Return one `set`."""
    name = directive.args[0].removeprefix("$").lower()
    assembly.set_variables.add(name)
    return SetVariable(name, assembly.template(directive.args[1]))


def read_break(directive: Directive, assembly: Assembly) -> Break:
    """Return one `break`."""
    return Break()


_READERS: dict[str, Callable[[Directive, Assembly], Instruction]] = {
    "return": read_return,
    "rewrite": read_rewrite,
    "set": read_set,
    "break": read_break,
}
