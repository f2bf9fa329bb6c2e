"""What the proxy changes in an upstream's fields."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, location
from upwire.conf.model import CookieFlags, ProxyRewrite, ProxySettings
from upwire.conf.regex import Regex
from upwire.conf.variables import Template

PASS = "proxy_pass http://127.0.0.1:1;"


def proxy(text: str) -> ProxySettings:
    return location(text).settings.proxy


def text_of(rule: ProxyRewrite | CookieFlags) -> str:
    """Return a rule's pattern as it stands in the file."""
    assert isinstance(rule.pattern, Template)
    return rule.pattern.text


def test_redirects_follow_the_upstream_by_default() -> None:
    (rule,) = proxy(PASS).redirects
    assert (text_of(rule), rule.replacement.text) == ("http://127.0.0.1:1/", "/")
    (rule,) = proxy("proxy_pass http://127.0.0.1:1/a/; proxy_redirect default;").redirects
    assert (text_of(rule), rule.replacement.text) == ("http://127.0.0.1:1/a/", "/")
    assert proxy("proxy_pass http://$host;").redirects == ()
    assert proxy("").redirects == ()


def test_redirects_of_a_level() -> None:
    assert proxy(PASS + "proxy_redirect off;").redirects == ()
    rules = proxy(
        PASS + "proxy_redirect a b; proxy_redirect default; proxy_redirect ~*A b;"
    ).redirects
    assert [isinstance(rule.pattern, Regex) for rule in rules] == [False, False, True]


def test_cookies() -> None:
    found = proxy(
        "proxy_cookie_domain .a .b; proxy_cookie_path /a /b; proxy_cookie_flags c secure;"
    )
    assert text_of(found.cookie_domains[0]) == "a"
    assert found.cookie_domains[0].replacement.text == "b"
    assert text_of(found.cookie_paths[0]) == "/a"
    assert [flag.text for flag in found.cookie_flags[0].flags] == ["secure"]
    found = proxy(
        "proxy_cookie_domain ~A b; proxy_cookie_path ~a b; proxy_cookie_flags ~A httponly;"
    )
    for rules in (found.cookie_domains, found.cookie_paths, found.cookie_flags):
        assert isinstance(rules[0].pattern, Regex)
    assert found.cookie_domains[0].pattern.search("a")  # type: ignore[union-attr]  # seen above
    found = proxy("proxy_cookie_domain off; proxy_cookie_path off; proxy_cookie_flags off;")
    assert (found.cookie_domains, found.cookie_paths, found.cookie_flags) == ((), (), ())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proxy_redirect a b; proxy_redirect off;", '"proxy_redirect" directive is duplicate'),
        ("proxy_redirect on;", 'invalid parameter "on"'),
        (
            "proxy_redirect default; " + PASS,
            '"proxy_redirect default" should be placed after the "proxy_pass" directive',
        ),
        (
            "proxy_pass http://$host; proxy_redirect default;",
            '"proxy_redirect default" cannot be used with "proxy_pass" directive with variables',
        ),
        (
            "proxy_cookie_path a b; proxy_cookie_path off;",
            '"proxy_cookie_path" directive is duplicate',
        ),
        ("proxy_cookie_flags a;", 'invalid parameter "a"'),
    ],
)
def test_wrong_rewrites(text: str, message: str) -> None:
    assert faults(f"server {{ location / {{ {text} }} }}") == [message]
