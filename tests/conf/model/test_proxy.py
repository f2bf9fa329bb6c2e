"""What ngx_http_proxy_module's directives come to."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http, location
from upwire.conf.model import ProxySettings, split_local
from upwire.conf.regex import Regex
from upwire.conf.variables import Template


def _proxy(text: str) -> ProxySettings:
    return location(text).settings.proxy


def test_the_last_host_counts() -> None:
    fields = _proxy("proxy_set_header Host a; proxy_set_header HOST b;").set_headers
    assert [(name, value.text) for name, value in fields if name.lower() == "host"] == [
        ("HOST", "b")
    ]


def test_before_1_29_7_every_host_is_sent() -> None:
    text = "server { proxy_set_header Host a; proxy_set_header Host b; }"
    fields = http(text, version=(1, 22, 1)).servers[0].settings.proxy.set_headers
    assert [value.text for name, value in fields if name == "Host"] == ["a", "b"]


def test_a_set_field_takes_the_place_of_a_default() -> None:
    fields = dict(_proxy("proxy_set_header connection upgrade;").set_headers)
    assert fields["connection"].text == "upgrade"
    assert "Connection" not in fields


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proxy_buffers 1 4k;", 'there must be at least 2 "proxy_buffers"'),
        (
            "proxy_busy_buffers_size 1k;",
            '"proxy_busy_buffers_size" must be equal to or greater than the maximum of the value'
            ' of "proxy_buffer_size" and one of the "proxy_buffers"',
        ),
        (
            "proxy_buffer_size 64k;",
            '"proxy_busy_buffers_size" must be less than the size of all "proxy_buffers" minus'
            " one buffer",
        ),
        (
            "proxy_redirect default;",
            '"proxy_redirect default" should be placed after the "proxy_pass" directive',
        ),
        (
            "proxy_pass http://$host; proxy_redirect default;",
            '"proxy_redirect default" cannot be used with "proxy_pass" directive with variables',
        ),
        ("proxy_redirect x;", 'invalid parameter "x"'),
        ("proxy_redirect a b; proxy_redirect off;", '"proxy_redirect" directive is duplicate'),
        ("proxy_redirect ~( b;", 'pcre2_compile() failed: missing closing parenthesis in "("'),
        ("proxy_pass http://a:b;", 'invalid port in upstream "a:b"'),
        ("proxy_pass http://a; proxy_pass http://b;", '"proxy_pass" directive is duplicate'),
        ("proxy_pass a;", "invalid URL prefix"),
        ("proxy_pass httpx://a;", "invalid URL prefix"),
    ],
)
def test_faults(text: str, message: str) -> None:
    assert faults(f"server {{ location / {{ {text} }} }}") == [message]


def test_a_fault_that_two_servers_inherit_is_told_once() -> None:
    text = "proxy_buffers 1 4k; server { listen 1; } server { listen 2; }"
    assert faults(text) == ['there must be at least 2 "proxy_buffers"']


def test_sizes_that_fit() -> None:
    proxy = _proxy("proxy_buffer_size 16k; proxy_buffers 4 16k; proxy_busy_buffers_size 32k;")
    assert (proxy.buffer_octets, proxy.buffers.count, proxy.buffers.octets) == (16384, 4, 16384)


def test_redirects_that_are_inherited() -> None:
    text = "proxy_redirect http://a/ /; server { location / { proxy_pass http://b; } }"
    (redirect,) = http(text).servers[0].locations[0].settings.proxy.redirects
    assert redirect.replacement.text == "/"


def test_nothing_is_redirected_without_proxy_pass() -> None:
    assert _proxy("").redirects == ()
    assert _proxy("proxy_pass http://$host;").redirects == ()


def test_proxy_pass_is_not_inherited() -> None:
    found = location("proxy_pass http://a; location /b { }")
    assert found.settings.proxy.pass_ is not None
    assert found.locations[0].settings.proxy.pass_ is None


def test_http_2_to_the_upstream() -> None:
    assert _proxy("proxy_http_version 2;").http_version == (2, 0)


def test_a_group_has_no_port() -> None:
    text = "server {{ location / {{ proxy_pass http://{}; }} }} upstream Group {{ server b; }}"
    assert faults(text.format("group:80")) == ['upstream "group" may not have port 80']
    passed = http(text.format("group")).servers[0].locations[0].settings.proxy.pass_
    assert passed is not None
    assert (passed.upstream, passed.authority) == ("Group", "group")


@pytest.mark.parametrize(
    ("url", "authority"),
    [
        ("http://a", "a"),
        ("http://a:80", "a"),
        ("http://a:81", "a:81"),
        ("https://a:443/", "a"),
        ("https://a:80/", "a:80"),
        ("http://unix:/a", "localhost"),
    ],
)
def test_authority(url: str, authority: str) -> None:
    passed = _proxy(f"proxy_pass {url};").pass_
    assert passed is not None
    assert passed.authority == authority


def test_redirects() -> None:
    text = (
        "proxy_pass http://a/b; proxy_redirect default; proxy_redirect ~*a b; proxy_redirect c d;"
    )
    default, caseless, prefix = _proxy(text).redirects
    assert (default.pattern, default.replacement.text) == (Template.literal("http://a/b"), "/")
    assert caseless.pattern == Regex("a", is_caseless=True)
    assert prefix.pattern == Template.compile("c")
    (plain,) = _proxy("proxy_pass http://a;").redirects
    assert (plain.pattern, plain.replacement.text) == (Template.literal("http://a/"), "/")
    assert _proxy("proxy_pass http://a; proxy_redirect off;").redirects == ()


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("127.0.0.2", ("127.0.0.2", 0)),
        ("127.0.0.2:80", ("127.0.0.2", 80)),
        ("::1", ("::1", 0)),
        ("[::1]:80", ("::1", 80)),
        ("[::1]", ("::1", 0)),
        ("name", None),
        ("127.0.0.2:x", None),
        ("unix:/x", None),
    ],
)
def test_addresses_to_connect_from(text: str, local: tuple[str, int] | None) -> None:
    assert split_local(text) == local


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("proxy_bind 127.0.0.1 odd;", 'invalid parameter "odd"'),
        ("proxy_bind name;", 'invalid address "name"'),
    ],
)
def test_wrong_addresses_to_connect_from(text: str, message: str) -> None:
    assert faults(f"server {{ location / {{ {text} }} }}") == [message]


def test_files_for_slow_clients() -> None:
    assert location("").settings.proxy.max_temp_file_octets == 1 << 30
    assert location("proxy_max_temp_file_size 0;").settings.proxy.max_temp_file_octets == 0
    assert location("proxy_max_temp_file_size 8k;").settings.proxy.max_temp_file_octets == 8192
    (message,) = faults("server { location / { proxy_max_temp_file_size 1k; } }")
    assert message.startswith('"proxy_max_temp_file_size" must be equal to zero to disable')
