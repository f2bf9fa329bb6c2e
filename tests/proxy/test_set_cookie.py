"""Set-Cookie on its way to the client."""

from __future__ import annotations

import pytest

from kit.conf_text import location
from upwire.conf.model import ProxySettings
from upwire.proxy.set_cookie import rewrite_set_cookie

VALUES = {"to": "new.test", "flag": "secure", "none": ""}


def rewrite(directives: str, text: str) -> str:
    proxy: ProxySettings = location(
        f"set $to ''; set $flag ''; set $none ''; {directives}"
    ).settings.proxy
    return rewrite_set_cookie(text, proxy, VALUES.get)


@pytest.mark.parametrize(
    ("directives", "text", "result"),
    [
        ("", "a=b;Domain=x", "a=b;Domain=x"),
        ("proxy_cookie_domain off;", "a=b;Domain=x", "a=b;Domain=x"),
        ("proxy_cookie_domain old.test new.test;", "a=b; Domain=OLD.test", "a=b; Domain=new.test"),
        ("proxy_cookie_domain .old.test .$to;", "a=b; domain=.old.test", "a=b; domain=.new.test"),
        ("proxy_cookie_domain old.test x;", "a=b;Domain=not.old.test", "a=b;Domain=not.old.test"),
        (r"proxy_cookie_domain ~^(\w+)\.old $1.$to;", "a=b;Domain=W.old", "a=b; Domain=W.new.test"),
        ("proxy_cookie_domain ~^gone x;", "a=b;Domain=W.old", "a=b;Domain=W.old"),
        ("proxy_cookie_path /one/ /;", "a=b; Path=/one/two; Domain=d", "a=b; Path=/two; Domain=d"),
        ("proxy_cookie_path /one/ /;", "a=b; Path=/ONE/", "a=b; Path=/ONE/"),
        ("proxy_cookie_path ~*^/ONE /x;", "a=b; Path=/one/", "a=b; Path=/x"),
        ("proxy_cookie_path /a /b; proxy_cookie_path /c /d;", "a=b; Path=/c", "a=b; Path=/d"),
        ("proxy_cookie_path / /x/;", "a=b; Path", "a=b; Path"),
        ("proxy_cookie_path / /x/;", "nothing; Path=/", "nothing; Path=/"),
        ("proxy_cookie_flags a secure;", "a=b", "a=b; Secure"),
        ("proxy_cookie_flags A httponly;", "a=b; Path=/", "a=b; Path=/; HttpOnly"),
        ("proxy_cookie_flags b secure;", "a=b", "a=b"),
        ("proxy_cookie_flags a $flag $none;", "a=b", "a=b; Secure"),
        ("proxy_cookie_flags a $none wrong;", "a=b;x", "a=b;x"),
        ("proxy_cookie_flags ~A secure;", "a=b; secure; Path=/", "a=b; secure; Path=/"),
        ("proxy_cookie_flags ~x secure;", "a=b", "a=b"),
        (
            "proxy_cookie_flags a nosecure nohttponly;",
            "a=b; Secure; HttpOnly; Path=/",
            "a=b; Path=/",
        ),
        ("proxy_cookie_flags a samesite=lax;", "a=b; SameSite=Strict", "a=b; SameSite=Lax"),
        ("proxy_cookie_flags a samesite=lax;", "a=b; samesite=LAX", "a=b; samesite=LAX"),
        ("proxy_cookie_flags a samesite=none secure;", "a=b", "a=b; SameSite=None; Secure"),
        ("proxy_cookie_flags a nosamesite;", "a=b; SameSite=Strict; x", "a=b; x"),
    ],
)
def test_what_becomes_of_a_cookie(directives: str, text: str, result: str) -> None:
    assert rewrite(directives, text) == result
