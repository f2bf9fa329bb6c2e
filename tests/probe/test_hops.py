"""Where a path is entered, and how often."""

from __future__ import annotations

import asyncio

import pytest

from upwire.client.url import parse_url
from upwire.errors import ConnectError, LocalProtocolError
from upwire.net.tls import client_context
from upwire.probe.hops import Budget, Dialer, backend_hop, front_hop, resolve, via_hop

URL = parse_url("ws://a.test:81/ws")


def test_the_front_is_the_url_s() -> None:
    hop = front_hop(URL, client_context())
    assert (hop.address, hop.tls) == ("a.test:81", None)
    assert front_hop(parse_url("wss://a.test/"), client_context()).tls is not None
    assert front_hop(parse_url("ws://[::1]:8/"), None).address == "[::1]:8"
    assert front_hop(parse_url("ws+unix:///run/a:/x"), None).address == "unix:/run/a"


@pytest.mark.parametrize(
    ("address", "wanted"), [("10.0.0.1", "10.0.0.1:81"), ("10.0.0.1:8080", "10.0.0.1:8080")]
)
def test_a_gateway_is_asked_for_the_same(address: str, wanted: str) -> None:
    hop = via_hop(URL, address, None)
    assert (hop.address, hop.url) == (wanted, URL)


@pytest.mark.parametrize(
    ("backend", "address", "resource"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080", "/ws"),
        ("http://b:1/", "b:1", "/ws"),
        ("ws://b:1/own?q", "b:1", "/own?q"),
        ("https://b", "b:443", "/ws"),
        ("ws+unix:///run/b.sock:/own", "unix:/run/b.sock", "/own"),
    ],
)
def test_the_backend_is_asked_for_the_url_s_host(backend: str, address: str, resource: str) -> None:
    hop = backend_hop(URL, backend, client_context())
    assert (hop.address, hop.url.resource, hop.url.authority) == (address, resource, "a.test:81")
    assert (hop.tls is not None) is backend.startswith("https")


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        backend_hop(URL, "ftp://b", None)
    with pytest.raises(LocalProtocolError):
        via_hop(URL, "b:x", None)


def test_the_budget_has_an_end() -> None:
    budget = Budget(1)
    budget.take()
    with pytest.raises(LocalProtocolError, match="the limit of 1 connections"):
        budget.take()


def test_names_are_resolved() -> None:
    assert asyncio.run(resolve(front_hop(parse_url("ws://127.0.0.1/"), None), 5)) == ["127.0.0.1"]
    unix = front_hop(parse_url("ws+unix:///run/a:/x"), None)
    assert asyncio.run(resolve(unix, 5)) == ["unix:/run/a"]


def test_a_connection_that_fails_is_counted() -> None:
    budget = Budget(2)
    dialer = Dialer(front_hop(parse_url("ws+unix:///nowhere/a:/x"), None), budget)
    with pytest.raises(ConnectError):
        asyncio.run(dialer.dial())
    assert budget.used == 1
