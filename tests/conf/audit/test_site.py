"""Which values hold where, and what counts as a sign of WebSockets."""

from __future__ import annotations

import pytest

from kit.audit_cases import site_of
from upwire.conf.audit import Evidence, Kind, audit, make_site
from upwire.conf.syntax import parse


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("events { }", Kind.WHOLE),
        ("server { }", Kind.HTTP),
        ("location / { }", Kind.SERVER),
        ("proxy_pass http://a;", Kind.LOCATION),
        ("", Kind.LOCATION),
    ],
)
def test_kinds(text: str, kind: Kind) -> None:
    assert site_of(text).kind is kind


@pytest.mark.parametrize(
    ("text", "evidence"),
    [
        ("location /ws { proxy_pass http://a; }", Evidence.NAMED),
        ("location /news { proxy_pass http://a; }", Evidence.NONE),
        ("location / { proxy_pass http://websocket; }", Evidence.NAMED),
        ("location /a { proxy_pass http://websocket; }", Evidence.NONE),
        ("location /ws { root /srv; }", Evidence.NONE),
        ("location /ws { proxy_pass; }", Evidence.NONE),
        ("# for web-sockets\nlocation /a { proxy_pass http://a; }", Evidence.TOLD),
        ("# not for websockets\nlocation /a { proxy_pass http://a; }", Evidence.NONE),
        (
            "location /ws { proxy_pass http://a; proxy_set_header Upgrade $http_upgrade; }",
            Evidence.SET,
        ),
        ('location /ws { proxy_pass http://a; proxy_set_header Upgrade ""; }', Evidence.NAMED),
    ],
)
def test_evidence(text: str, evidence: Evidence) -> None:
    assert site_of(text).places[0].evidence is evidence


def test_without_its_text_a_file_has_no_comments() -> None:
    tree = parse("# websocket\nlocation /a { proxy_pass http://a; }")
    assert make_site(tree.directives).places[0].evidence is Evidence.NONE


def test_a_proxy_pass_outside_of_locations_is_a_place() -> None:
    site = site_of("proxy_pass http://a;")
    (place,) = site.places
    assert (place.pattern, place.modifier, place.block.label) == ("", "", "this file")
    assert (place.server, place.handler) == (None, place.passes)


@pytest.mark.parametrize(
    ("args", "modifier", "pattern"),
    [
        ("/a", "", "/a"),
        ("= /a", "=", "/a"),
        ("=/a", "=", "/a"),
        ("^~ /a", "^~", "/a"),
        ("~ ^/a", "~", "^/a"),
        ("~*^/a", "~*", "^/a"),
        ("@a", "@", "@a"),
        ("", "", ""),
    ],
)
def test_locations(args: str, modifier: str, pattern: str) -> None:
    (place,) = site_of(f"location {args} {{ }}").places
    assert (place.modifier, place.pattern) == (modifier, pattern)


def test_values_are_those_of_the_innermost_block_that_has_any() -> None:
    site = site_of(
        """
        proxy_set_header A outer;
        proxy_read_timeout 5m;
        location / {
            proxy_pass http://a;
            proxy_set_header B inner;
            proxy_set_header B second;
            proxy_set_header C "";
            proxy_set_header broken;
        }
        """
    )
    (place,) = site.places
    assert (place.value("a"), place.value("b"), place.value("c")) == (None, "inner, second", "")
    assert [line.args for line in place.hidden("proxy_set_header")] == [("A", "outer")]
    assert place.hidden("proxy_read_timeout") == ()
    assert (place.time_s("proxy_read_timeout"), place.time_s("send_timeout")) == (300.0, 60.0)
    assert not place.flag("proxy_buffering")


@pytest.mark.parametrize("value", ["", " soon"])
def test_a_time_that_cannot_be_read_is_the_default(value: str) -> None:
    site = site_of(f"location / {{ proxy_read_timeout{value}; }}")
    assert site.places[0].time_s("proxy_read_timeout") == 60.0


def test_what_a_file_that_is_not_there_would_say_is_not_known() -> None:
    site = site_of(
        """
        proxy_buffering off;
        location /a { include proxy.conf; proxy_buffering on; }
        location /b { include mime.types; }
        location /c { proxy_cache off; }
        location /d { include snippets/ssl-proxy.conf; }
        """
    )
    first, second, third, last = site.places
    assert not last.shows("proxy_buffering")
    assert not first.shows("proxy_buffering")
    assert second.shows("proxy_buffering")
    assert second.lacks("proxy_cache")
    assert third.shows("proxy_cache")
    assert not third.lacks("proxy_cache")


def test_an_include_inside_of_a_fragment_hides_what_is_around() -> None:
    site = site_of("include proxy.conf; location /ws { proxy_pass http://a; }")
    assert list(audit(site)) == []


@pytest.mark.parametrize(
    ("version", "line", "expected"),
    [
        (None, "", "1.0 or 1.1"),
        ((1, 22, 1), "", "1.0"),
        ((1, 29, 7), "", "1.1"),
        (None, "proxy_http_version 1.1;", "1.1"),
        ((1, 22, 1), "proxy_http_version;", "1.0"),
    ],
)
def test_http_version(version: tuple[int, int, int] | None, line: str, expected: str) -> None:
    site = site_of(f"location / {{ {line} proxy_pass http://a; }}", version)
    assert site.http_version(site.places[0]) == expected


def test_upstreams_and_maps() -> None:
    site = site_of(
        """
        upstream App { server 127.0.0.1:1; }
        map $a $b { default c; }
        server {
            location /a { proxy_pass http://app/x; }
            location /b { proxy_pass http://other; }
            location /c { root /srv; }
        }
        """
    )
    first, second, third = site.places
    found = site.upstream_of(first)
    assert found is not None
    assert found.args == ("App",)
    assert site.upstream_of(second) is None
    assert site.upstream_of(third) is None
    assert site.map_of("$b") is not None
    assert site.map_of("$c") is None
    assert site_of("proxy_pass http://a;").http == ()
