"""Every variable that the proxy gives a value."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.proxy_site import cycle_of, make_request
from upwire.conf.variables import PREFIXES, VARIABLES
from upwire.proxy.cycle import Cycle
from upwire.proxy.request import UpstreamTry
from upwire.proxy.tls.client import ClientTls
from upwire.proxy.variables import FAMILIES, READERS, look_up
from upwire.wire.fields import Headers
from upwire.wire.tls import ClientHello

HTTP = r"""
    map $arg_a $mapped { default none; 1 one; ~^x(?<rest>.*)$ "$1 of $rest"; }
    map $mapped $twice { default "<$mapped>"; }
    map $request_id $fresh { volatile; default $msec; }
    server {
        listen 127.0.0.1:80;
        server_name named.test;
        root /srv;
        location / { proxy_pass http://10.0.0.9:8080; }
        location /tls { proxy_pass https://10.0.0.9; }
        location /files/ { alias /data/; }
        location ~ ^/re/(?<word>\w+) { }
    }
"""


@pytest.fixture
def cycle(tmp_path: Path) -> Iterator[Cycle]:
    with cycle_of(HTTP, tmp_path) as cycle:
        yield cycle


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("args", "a=1&b=2&B=3"),
        ("arg_a", "1"),
        ("arg_b", "2"),
        ("arg_c", None),
        ("binary_remote_addr", "\x0a\x01\x02\x03"),
        ("body_bytes_sent", "0"),
        ("bytes_sent", "0"),
        ("connection", "7"),
        ("connection_requests", "0"),
        ("content_length", None),
        ("content_type", "text/x"),
        ("cookie_one", "1"),
        ("cookie_two", "2"),
        ("cookie_none", None),
        ("document_root", "/srv"),
        ("document_uri", "/a/b"),
        ("host", "named.test"),
        ("http_x_thing", "a, b"),
        ("http_cookie", "one=1; two=2"),
        ("http_none", None),
        ("https", ""),
        ("is_args", "?"),
        ("mapped", "one"),
        ("twice", "<one>"),
        ("nginx_version", "1.31.5"),
        ("no_such", None),
        ("pipe", "."),
        ("proxy_add_x_forwarded_for", "9.9.9.9, 10.1.2.3"),
        ("proxy_host", "10.0.0.9:8080"),
        ("proxy_internal_body_length", None),
        ("proxy_internal_chunked", None),
        ("proxy_port", "8080"),
        ("query_string", "a=1&b=2&B=3"),
        ("realpath_root", "/srv"),
        ("remote_addr", "10.1.2.3"),
        ("remote_port", "4567"),
        ("remote_user", "joe"),
        ("request", "GET /a/b?a=1&b=2&B=3 HTTP/1.1"),
        ("request_completion", "OK"),
        ("request_filename", "/srv/a/b"),
        ("request_body", None),
        ("request_method", "GET"),
        ("request_uri", None),
        ("scheme", "http"),
        ("sent_http_none", None),
        ("server_addr", "127.0.0.1"),
        ("server_name", "named.test"),
        ("server_port", "80"),
        ("server_protocol", "HTTP/1.1"),
        ("status", "000"),
        ("upstream_addr", None),
        ("upstream_http_x", None),
        ("upstream_cookie_c", None),
        ("uri", "/a/b"),
        ("1", None),
    ],
)
def test_values(cycle: Cycle, name: str, value: str | None) -> None:
    fields = Headers(
        [
            ("Authorization", "Basic am9lOnNlY3JldA=="),
            ("Content-Type", "text/x"),
            ("Cookie", "one=1"),
            ("Cookie", "two=2"),
            ("X-Forwarded-For", "9.9.9.9"),
            ("X-Thing", "a"),
            ("X-Thing", "b"),
        ]
    )
    request = make_request(cycle, "/a/b?a=1&b=2&B=3", fields)
    assert look_up(request, name) == value


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("connection_time", r"\d+\.\d{3}"),
        ("hostname", r".+"),
        ("msec", r"\d{10}\.\d{3}"),
        ("pid", r"\d+"),
        ("request_id", r"[0-9a-f]{32}"),
        ("request_time", r"\d+\.\d{3}"),
        ("time_iso8601", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"),
        ("time_local", r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"),
    ],
)
def test_values_that_differ_each_time(cycle: Cycle, name: str, pattern: str) -> None:
    value = look_up(make_request(cycle), name)
    assert value is not None
    assert re.fullmatch(pattern, value)


def test_a_request_keeps_its_id(cycle: Cycle) -> None:
    request = make_request(cycle)
    assert look_up(request, "request_id") == look_up(request, "request_id")
    assert look_up(make_request(cycle), "request_id") != look_up(request, "request_id")


def test_what_is_empty_is_not_set(cycle: Cycle) -> None:
    request = make_request(cycle, "/", method="")
    for name in ("args", "query_string", "request", "request_method", "server_protocol"):
        assert look_up(request, name) is None
    assert look_up(request, "is_args") == ""


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer x", "Basic !", "Basic am9l"],
    ids=["none", "other", "bad", "bare"],
)
def test_no_remote_user(cycle: Cycle, authorization: str | None) -> None:
    fields = {"Authorization": authorization} if authorization is not None else {}
    assert look_up(make_request(cycle, "/", fields), "remote_user") is None


def test_maps_capture(cycle: Cycle) -> None:
    request = make_request(cycle, "/?a=xyz")
    assert look_up(request, "mapped") == "yz of yz"
    assert look_up(request, "1") == "yz"
    assert look_up(request, "mapped") == "yz of yz"


def test_a_volatile_map_is_asked_each_time(cycle: Cycle) -> None:
    request = make_request(cycle)
    look_up(request, "fresh")
    assert "fresh" not in request.variables
    look_up(request, "mapped")
    assert request.variables["mapped"] == "none"


def test_captures_of_the_location(cycle: Cycle) -> None:
    request = make_request(cycle, "/re/thing")
    assert look_up(request, "word") == "thing"
    assert look_up(request, "1") == "thing"


def test_the_places_of_files_and_upstreams(cycle: Cycle) -> None:
    assert look_up(make_request(cycle, "/files/a"), "request_filename") == "/data/a"
    assert look_up(make_request(cycle, "/files/a"), "document_root") == "/data/"
    assert look_up(make_request(cycle, "/files/a"), "proxy_host") is None
    assert look_up(make_request(cycle, "/files/a"), "proxy_port") is None
    assert look_up(make_request(cycle, "/tls"), "proxy_port") == "443"


def test_other_addresses(cycle: Cycle) -> None:
    request = make_request(cycle)
    request.client.address = "::1"
    assert look_up(request, "binary_remote_addr") == "\0" * 15 + "\1"
    request.client.address = "unix:"
    assert look_up(request, "binary_remote_addr") == "unix:"
    request.client.tls = ClientTls(ClientHello(), None)
    assert (look_up(request, "https"), look_up(request, "scheme")) == ("on", "https")


def test_the_tries_are_joined(cycle: Cycle) -> None:
    request = make_request(cycle)
    request.tries = [
        UpstreamTry("10.0.0.1:80", 0.0, 502),
        UpstreamTry("10.0.0.2:80", 0.0, 200, 0.5, 1.0, 2.0, 3, 4, 5),
    ]
    request.upstream_fields = Headers([("X-One", "1"), ("Set-Cookie", "c=v; Path=/")])
    for name, value in {
        "upstream_addr": "10.0.0.1:80, 10.0.0.2:80",
        "upstream_status": "502, 200",
        "upstream_connect_time": "-, 0.500",
        "upstream_header_time": "-, 1.000",
        "upstream_response_time": "-, 2.000",
        "upstream_response_length": "0, 3",
        "upstream_bytes_sent": "0, 4",
        "upstream_bytes_received": "0, 5",
        "upstream_http_x_one": "1",
        "upstream_cookie_c": "v",
    }.items():
        assert look_up(request, name) == value


def test_the_content_that_goes_upstream(cycle: Cycle) -> None:
    request = make_request(cycle)
    request.passed_octets, request.passed_is_chunked = 3, True
    assert look_up(request, "proxy_internal_body_length") == "3"
    assert look_up(request, "proxy_internal_chunked") == "chunked"
    request.reply.is_cut = True
    assert look_up(request, "request_completion") == ""


def test_every_reader_is_of_a_variable_that_nginx_has() -> None:
    assert not READERS.keys() - VARIABLES.keys()
    assert FAMILIES.keys() <= set(PREFIXES)
