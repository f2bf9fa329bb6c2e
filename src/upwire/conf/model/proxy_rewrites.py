"""What the proxy changes in an upstream's fields: `proxy_redirect` and `proxy_cookie_*`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from upwire.conf.model.assembly import Assembly, Scope, compile_regex
from upwire.conf.model.types import CookieFlags, MatchKind, ProxyPass, ProxyRewrite
from upwire.conf.regex import Regex
from upwire.conf.syntax import Directive
from upwire.conf.variables import Template

_MISPLACED_DEFAULT = '"proxy_redirect default" should be placed after the "proxy_pass" directive'
_DEFAULT_WITH_VARIABLES = (
    '"proxy_redirect default" cannot be used with "proxy_pass" directive with variables'
)
_COOKIE_DIRECTIVES = ("proxy_cookie_domain", "proxy_cookie_path", "proxy_cookie_flags")


@dataclass(frozen=True, slots=True)
class Place:
    """The block that holds a `proxy_pass`: its kind and pattern, or an `if` or limit_except."""

    kind: MatchKind | None
    pattern: str = ""

    @property
    def may_replace_uri(self) -> bool:
        """Whether the matched part of the path is known, and so can be replaced."""
        return self.kind in (MatchKind.PREFIX, MatchKind.PREFIX_NO_REGEX, MatchKind.EXACT)


def read_redirects(
    scope: Scope, place: Place, passed: ProxyPass | None, assembly: Assembly
) -> tuple[ProxyRewrite, ...]:
    """Return the rules for Location and Refresh; `default` follows `proxy_pass`."""
    lines = scope.effective("proxy_redirect")
    if any(line.args == ("off",) for line in lines):
        return ()
    redirects: list[ProxyRewrite] = []
    for line in lines:
        if len(line.args) == 1:
            redirects += _default_redirect(place, passed)
        else:
            redirects += assembly.read_all(_read_redirect, [line])
    return tuple(redirects) if lines else tuple(_default_redirect(place, passed))


def _default_redirect(place: Place, passed: ProxyPass | None) -> list[ProxyRewrite]:
    if passed is None or passed.template is not None:
        return []
    if passed.uri is None:
        return [ProxyRewrite(Template.literal(passed.url + "/"), Template.literal("/"))]
    return [ProxyRewrite(Template.literal(passed.url), Template.literal(place.pattern))]


def _read_redirect(directive: Directive, assembly: Assembly) -> ProxyRewrite:
    """Return a rule for `proxy_redirect` or `proxy_cookie_path`; "~" is with case, "~*" without."""
    text, replacement = directive.args
    pattern: Template | Regex
    if text.startswith("~"):
        is_caseless = text.startswith("~*")
        expression = text[2 if is_caseless else 1 :]
        at = directive.arg_positions[0]
        pattern = compile_regex(expression, at, is_caseless=is_caseless)
    else:
        pattern = assembly.template(text)
    return ProxyRewrite(pattern, assembly.template(replacement))


def read_cookie_domains(scope: Scope, assembly: Assembly) -> tuple[ProxyRewrite, ...]:
    """Return the rules for the Domain of cookies."""
    return _read_rewrites("proxy_cookie_domain", _read_domain, scope, assembly)


def read_cookie_paths(scope: Scope, assembly: Assembly) -> tuple[ProxyRewrite, ...]:
    """Return the rules for the Path of cookies."""
    return _read_rewrites("proxy_cookie_path", _read_redirect, scope, assembly)


def _read_rewrites(
    name: str,
    reader: Callable[[Directive, Assembly], ProxyRewrite],
    scope: Scope,
    assembly: Assembly,
) -> tuple[ProxyRewrite, ...]:
    lines = [line for line in scope.effective(name) if len(line.args) > 1]
    return assembly.read_all(reader, lines)


def _read_domain(directive: Directive, assembly: Assembly) -> ProxyRewrite:
    """Return a rule for Domain; a "." in front of either name is nothing."""
    text, replacement = directive.args
    if text.startswith("~"):
        at = directive.arg_positions[0]
        pattern = compile_regex(text[1:], at, is_caseless=True)
        return ProxyRewrite(pattern, assembly.template(replacement))
    template = assembly.template(text.removeprefix("."))
    return ProxyRewrite(template, assembly.template(replacement.removeprefix(".")))


def read_cookie_flags(scope: Scope, assembly: Assembly) -> tuple[CookieFlags, ...]:
    """Return the rules for the flags of cookies."""
    lines = [line for line in scope.effective("proxy_cookie_flags") if len(line.args) > 1]
    return assembly.read_all(_read_flags, lines)


def _read_flags(directive: Directive, assembly: Assembly) -> CookieFlags:
    text, *flags = directive.args
    pattern: Template | Regex
    if text.startswith("~"):
        pattern = compile_regex(text[1:], directive.arg_positions[0], is_caseless=True)
    else:
        pattern = assembly.template(text)
    return CookieFlags(pattern, tuple(assembly.template(flag) for flag in flags))


def _check_cookies(scope: Scope, assembly: Assembly) -> None:
    """Check one level's own lines: a single word is `off`, and stands alone."""
    for name in _COOKIE_DIRECTIVES:
        lines = scope.own(name)
        for line in lines:
            if lines[0] is not line and ("off",) in (line.args, lines[0].args):
                assembly.fault(f'"{name}" directive is duplicate', line.position)
            elif len(line.args) == 1 and line.args != ("off",):
                assembly.fault(f'invalid parameter "{line.args[0]}"', line.arg_positions[0])


def check_rewrites(scope: Scope, assembly: Assembly) -> None:
    """Check what stands in one level itself, even where an inner level hides it."""
    _check_redirects(scope, assembly)
    _check_cookies(scope, assembly)


def _check_redirects(scope: Scope, assembly: Assembly) -> None:
    """Check one level's own lines: `off` stands alone, `default` behind a plain `proxy_pass`."""
    passed = scope.own_one("proxy_pass")
    lines = scope.own("proxy_redirect")
    for line in lines:
        if lines[0] is not line and ("off",) in (line.args, lines[0].args):
            assembly.fault('"proxy_redirect" directive is duplicate', line.position)
        elif len(line.args) == 2 or line.args == ("off",):
            continue
        elif line.args != ("default",):
            assembly.fault(f'invalid parameter "{line.args[0]}"', line.arg_positions[0])
        elif passed is None or passed.position.order > line.position.order:
            assembly.missing(_MISPLACED_DEFAULT, line.position)
        elif "$" in passed.args[0]:
            assembly.fault(_DEFAULT_WITH_VARIABLES, line.position)
