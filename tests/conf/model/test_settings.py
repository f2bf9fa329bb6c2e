"""Settings of a location."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http, location


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resolver a:x;", 'invalid port in resolver "a:x"'),
        ("resolver 127.0.0.1 valid=1ms;", "invalid parameter: valid=1ms"),
        ("resolver 127.0.0.1 ipv4=x;", "invalid parameter: ipv4=x"),
        ("resolver 127.0.0.1 ipv4=off ipv6=off;", '"ipv4" and "ipv6" cannot both be "off"'),
        ("resolver valid=1s;", "no name servers defined"),
        ("error_page =200 /;", 'invalid value "=200"'),
        ("error_page 404 =x /;", 'invalid value "=x"'),
        ("error_page 499 /;", 'invalid value "499"'),
        ("add_header a b c;", 'invalid parameter "c"'),
        ("return x;", 'invalid return code "x"'),
        ("return 1000;", 'invalid return code "1000"'),
        ("index '';", 'index "" in "index" directive is invalid'),
        ("index /a b;", 'only the last index in "index" directive should be absolute'),
        (
            "root ${realpath_root}/x;",
            'the $realpath_root variable cannot be used in the "root" directive',
        ),
        (
            "types { a/b x; c/d x; }",
            'duplicate extension "x", content type: "c/d", previous content type: "a/b"',
        ),
        ("error_page 404 /;" * 2 + "error_page 700 /;", 'value "700" must be between 300 and 599'),
        ("return 99999999999999999999;", 'invalid return code "99999999999999999999"'),
        (
            "alias a; root b;",
            '"root" directive is duplicate, "alias" directive was specified earlier',
        ),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert faults(f"server {{ location / {{ {text} }} }}") == [message]


def test_root_loses_its_last_slash_but_not_its_only_one() -> None:
    for text, root in (("/a/", "/a"), ("/", "/"), ("$host/", "$host")):
        found = location(f"root {text};").settings.root
        assert found is not None
        assert found.text == root


def test_an_alias_is_inherited_with_what_it_replaces() -> None:
    text = "location /b/ { alias /a/; location /b/c { location ~ x { root /r; } } }"
    (outer,) = http(f"server {{ root /z; {text} }}").servers[0].locations
    (inner,) = outer.locations
    for settings in (outer.settings, inner.settings):
        assert settings.alias is not None
        assert (settings.alias.text, settings.alias_octets) == ("/a/", 3)
    assert inner.locations[0].settings.alias is None
    (found,) = http("server { location ~ x { alias /a; } }").servers[0].locations
    assert found.settings.alias_octets is None


def test_the_last_handler_answers() -> None:
    assert location("proxy_pass http://a; stub_status;").settings.handler == "stub_status"


def test_types_of_one_level_add_up() -> None:
    text = "types { a x; } server { types { b y; } types { c z; } location / { } }"
    assert http(text).servers[0].locations[0].settings.types == {"y": "b", "z": "c"}


def test_a_wrong_value_above_is_told_once_and_the_default_holds() -> None:
    text = "keepalive_timeout x; server { listen 1; } server { listen 2; }"
    assert faults(text) == ['"keepalive_timeout" directive invalid value']


def test_a_named_location_has_no_alias() -> None:
    assert faults("server { location @a { alias b; } }") == [
        'the "alias" directive cannot be used inside the named location'
    ]


def test_resolver() -> None:
    found = location("resolver 127.0.0.1 [::1]:54 valid=1m ipv6=off;").settings.resolver
    assert found is not None
    assert found.servers == (("127.0.0.1", 53), ("[::1]", 54))
    assert (found.valid_s, found.ipv4, found.ipv6) == (60, True, False)


def test_error_pages() -> None:
    pages = location("error_page 404 500 =200 /a; error_page 403 = /b; error_page 497 /c;")
    found = [(page.status, page.answer, page.uri.text) for page in pages.settings.error_pages]
    assert found == [(404, 200, "/a"), (500, 200, "/a"), (403, 0, "/b"), (497, 400, "/c")]


def test_keepalive_timeout() -> None:
    settings = location("keepalive_timeout 500ms 60;").settings
    assert (settings.keepalive_timeout_s, settings.keepalive_header_s) == (0.5, 60)
