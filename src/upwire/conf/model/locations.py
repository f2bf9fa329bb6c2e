"""`location`: how it matches, what may stand inside it, and its settings."""

from __future__ import annotations

from dataclasses import dataclass, replace

from upwire.conf.model.assembly import Assembly, Scope, Wrong, compile_regex
from upwire.conf.model.proxy_rewrites import Place
from upwire.conf.model.rewrite import read_inner_settings, read_instructions
from upwire.conf.model.settings import check_root_and_alias, read_settings
from upwire.conf.model.types import LimitExcept, Location, LocationSettings, MatchKind
from upwire.conf.regex import Regex
from upwire.conf.syntax import Directive

_MODIFIERS = {
    "=": MatchKind.EXACT,
    "^~": MatchKind.PREFIX_NO_REGEX,
    "~*": MatchKind.REGEX_NOCASE,
    "~": MatchKind.REGEX,
}
_METHODS = frozenset(
    {
        *("GET", "HEAD", "POST", "PUT", "DELETE", "MKCOL", "COPY", "MOVE", "OPTIONS"),
        *("PROPFIND", "PROPPATCH", "LOCK", "UNLOCK", "PATCH"),
    }
)


@dataclass(frozen=True, slots=True)
class _Match:
    """The words behind `location`: kind, pattern (a named one with its "@"), expression."""

    kind: MatchKind
    pattern: str
    regex: Regex | None = None


def read_locations(
    scope: Scope, settings: LocationSettings, assembly: Assembly, outer: _Match | None = None
) -> tuple[Location, ...]:
    """Return the locations of one level, in file order.

    settings: those of the level; outer: the location around them.
    """
    found: list[Location] = []
    seen: set[tuple[MatchKind, str]] = set()
    for directive in scope.own("location"):
        match = assembly.read(_read_match, directive)
        if match is None:
            continue
        if outer is not None:
            _check_nesting(match, outer, directive, assembly)
        _check_duplicate(match, seen, directive, assembly)
        found.append(_read_location(directive, match, scope, settings, assembly))
    return tuple(found)


def _read_location(
    directive: Directive,
    match: _Match,
    outer: Scope,
    outer_settings: LocationSettings,
    assembly: Assembly,
) -> Location:
    scope = outer.inner(directive.block or ())
    place = Place(match.kind, match.pattern)
    check_root_and_alias(scope, place, assembly)
    settings = read_settings(scope, place, assembly)
    if scope.own("alias"):
        settings = replace(settings, alias_octets=None if match.regex else len(match.pattern))
    elif settings.alias is not None:
        settings = replace(settings, alias_octets=outer_settings.alias_octets)
    return Location(
        kind=match.kind,
        pattern=match.pattern.removeprefix("@") if match.kind is MatchKind.NAMED else match.pattern,
        settings=settings,
        position=directive.position,
        regex=match.regex,
        locations=read_locations(scope, settings, assembly, match),
        rewrite=read_instructions(scope, settings, assembly),
        limit_except=_read_limit_except(scope, settings, assembly),
    )


def _read_limit_except(
    scope: Scope, outer: LocationSettings, assembly: Assembly
) -> LimitExcept | None:
    """Return the methods that are free of it, GET with HEAD, and the settings for all others."""
    directive = scope.own_one("limit_except")
    if directive is None:
        return None
    for name, at in zip(directive.args, directive.arg_positions, strict=True):
        if name.upper() not in _METHODS:
            assembly.fault(f'invalid method "{name}"', at)
    methods = {name.upper() for name in directive.args}
    if "GET" in methods:
        methods.add("HEAD")
    inner = scope.inner(directive.block or ())
    return LimitExcept(frozenset(methods), read_inner_settings(inner, outer, assembly))


def _read_match(directive: Directive, assembly: Assembly) -> _Match:
    """Read "modifier pattern", or both in one word, such as "=/"."""
    *modifiers, pattern = directive.args
    at = directive.arg_positions[0]
    if modifiers:
        kind = _MODIFIERS.get(modifiers[0])
        if kind is None:
            raise Wrong(f'invalid location modifier "{modifiers[0]}"', at)
    else:
        modifier = next((sign for sign in _MODIFIERS if pattern.startswith(sign)), "")
        kind = _MODIFIERS.get(modifier, MatchKind.PREFIX)
        pattern = pattern.removeprefix(modifier)
        if kind is MatchKind.PREFIX and pattern.startswith("@"):
            kind = MatchKind.NAMED
    regex = None
    if kind in (MatchKind.REGEX, MatchKind.REGEX_NOCASE):
        is_caseless = kind is MatchKind.REGEX_NOCASE
        regex = compile_regex(pattern, directive.arg_positions[-1], is_caseless=is_caseless)
    return _Match(kind, pattern, regex)


def _check_nesting(match: _Match, outer: _Match, directive: Directive, assembly: Assembly) -> None:
    """A nested location is a part of the one around it."""
    if outer.kind is MatchKind.EXACT:
        message = "cannot be inside the exact location"
    elif outer.kind is MatchKind.NAMED:
        message = "cannot be inside the named location"
    elif match.kind is MatchKind.NAMED:
        message = f'named location "{match.pattern}" can be on the server level only'
        assembly.fault(message, directive.arg_positions[0])
        return
    elif match.regex is None and not match.pattern.startswith(outer.pattern):
        message = "is outside location"
    else:
        return
    message = f'location "{match.pattern}" {message} "{outer.pattern}"'
    assembly.fault(message, directive.arg_positions[0])


def _check_duplicate(
    match: _Match,
    seen: set[tuple[MatchKind, str]],
    directive: Directive,
    assembly: Assembly,
) -> None:
    """Two prefixes may not be the same, with "^~" or without, nor may two exact paths."""
    if match.kind in (MatchKind.REGEX, MatchKind.REGEX_NOCASE, MatchKind.NAMED):
        return
    kind = MatchKind.EXACT if match.kind is MatchKind.EXACT else MatchKind.PREFIX
    if (kind, match.pattern) in seen:
        assembly.fault(f'duplicate location "{match.pattern}"', directive.arg_positions[0])
    seen.add((kind, match.pattern))
