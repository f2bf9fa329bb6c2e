"""What `proxy_cookie_domain`, `proxy_cookie_path` and `proxy_cookie_flags` make of Set-Cookie."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from upwire.conf.model import CookieFlags, ProxyRewrite, ProxySettings
from upwire.conf.regex import Regex
from upwire.conf.variables import Lookup
from upwire.proxy.route import Captures

Rewrite = Callable[[str, ProxyRewrite, Lookup], str | None]
"""Returns a value after one rule, None where the rule does not fit it."""

_FLAGS = {  # ngx_http_proxy_cookie_flags_masks: the attribute, and its value or False to drop it
    "secure": ("Secure", None),
    "nosecure": ("Secure", False),
    "httponly": ("HttpOnly", None),
    "nohttponly": ("HttpOnly", False),
    "samesite=strict": ("SameSite", "Strict"),
    "samesite=lax": ("SameSite", "Lax"),
    "samesite=none": ("SameSite", "None"),
    "nosamesite": ("SameSite", False),
}


@dataclass(slots=True)
class _Attribute:
    """A piece of Set-Cookie between semicolons; value None where no "=" stands."""

    name: str
    value: str | None

    def __str__(self) -> str:
        return self.name if self.value is None else f"{self.name}={self.value}"


def rewrite_set_cookie(text: str, proxy: ProxySettings, lookup: Lookup) -> str:
    """Return a Set-Cookie value after the rules that fit it, unchanged where none does."""
    if not (proxy.cookie_domains or proxy.cookie_paths or proxy.cookie_flags):
        return text
    cookie, *attributes = map(_parse, text.split(";"))
    if cookie.value is None:
        return text
    is_changed = False
    for attribute in attributes:
        rules = {"domain": proxy.cookie_domains, "path": proxy.cookie_paths}
        name = attribute.name.lower()
        rewrite = _rewrite_domain if name == "domain" else rewrite_prefix
        if attribute.value is not None and name in rules:
            value = rewrite_first(attribute.value, rules[name], lookup, rewrite)
            is_changed = is_changed or value is not None
            attribute.value = attribute.value if value is None else value
    for words in _flags_for(cookie.name, proxy.cookie_flags, lookup):
        attributes = _with_flags(attributes, words)
        is_changed = True
    return "; ".join(map(str, [cookie, *attributes])) if is_changed else text


def rewrite_first(
    value: str, rules: Iterable[ProxyRewrite], lookup: Lookup, rewrite: Rewrite
) -> str | None:
    """Return value after the first rule that fits it, None where none does."""
    results = (rewrite(value, rule, lookup) for rule in rules)
    return next((result for result in results if result is not None), None)


def rewrite_prefix(value: str, rule: ProxyRewrite, lookup: Lookup) -> str | None:
    """Replace the rule's text in front of value, or the whole value that its expression finds."""
    if isinstance(rule.pattern, Regex):
        return _rewrite_by_regex(value, rule, rule.pattern, lookup)
    prefix = rule.pattern.render(lookup)
    if not value.startswith(prefix):
        return None
    return rule.replacement.render(lookup) + value[len(prefix) :]


def _rewrite_domain(value: str, rule: ProxyRewrite, lookup: Lookup) -> str | None:
    """Replace a whole domain without regard to case; a "." in front of it stays."""
    if isinstance(rule.pattern, Regex):
        return _rewrite_by_regex(value, rule, rule.pattern, lookup)
    name = value.removeprefix(".")
    if name.lower() != rule.pattern.render(lookup).lower():
        return None
    return value[: len(value) - len(name)] + rule.replacement.render(lookup)


def _rewrite_by_regex(value: str, rule: ProxyRewrite, regex: Regex, lookup: Lookup) -> str | None:
    values = regex.search(value)
    if values is None:
        return None
    captures = Captures(values, regex.names)

    def look_up(name: str) -> str | None:
        captured = captures.get(name)
        return lookup(name) if captured is None else captured

    return rule.replacement.render(look_up)


def _parse(piece: str) -> _Attribute:
    name, equals, value = piece.partition("=")
    return _Attribute(name.strip(" "), value.strip(" ") if equals else None)


def _flags_for(
    name: str, rules: Iterable[CookieFlags], lookup: Lookup
) -> Iterable[dict[str, str | bool | None]]:
    """Yield the flags of the first rule for a cookie, where it has any."""
    for rule in rules:
        if isinstance(rule.pattern, Regex):
            fits = rule.pattern.search(name) is not None
        else:
            fits = rule.pattern.render(lookup).lower() == name.lower()
        if fits:
            words = [flag.render(lookup).lower() for flag in rule.flags]
            flags = dict(_FLAGS[word] for word in words if word in _FLAGS)
            if flags:
                yield flags
            return


def _with_flags(
    attributes: Iterable[_Attribute], flags: dict[str, str | bool | None]
) -> list[_Attribute]:
    """Return attributes with those that flags name set, added at the end, or dropped."""
    left = dict(flags)
    kept: list[_Attribute] = []
    for attribute in attributes:
        name = next((name for name in flags if name.lower() == attribute.name.lower()), None)
        if name is None:
            kept.append(attribute)
        elif flags[name] is not False:
            left.pop(name, None)
            kept.append(_set(attribute, name, flags[name]))
    added = [_Attribute(name, value) for name, value in left.items() if not isinstance(value, bool)]
    return kept + added


def _set(attribute: _Attribute, name: str, value: str | bool | None) -> _Attribute:
    """Return an attribute with the value, as it was where that says the same already."""
    if not isinstance(value, str) or (attribute.value or "").lower() == value.lower():
        return attribute
    return _Attribute(name, value)
