"""The options of `upwire proxy`: what can be meant, and what comes of it."""

from __future__ import annotations

import pytest

from upwire.proxy.cycle import TunnelOptions
from upwire.proxy.options import ProxyOptions


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "::1", "[::1]", "fe80::1%eth0", "[fe80::1%eth0]"),
        *("localhost", "backend.example", "backend_1", "1and1.example.", "a-b.c"),
    ],
)
def test_addresses_that_a_name_may_have(address: str) -> None:
    assert ProxyOptions(add_host=(f"Backend={address}",)).hosts == {"backend": address}


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1:9000", "999.1.1.1", "foo bar", "[127.0.0.1]", "[::1]:80", "[backend]", "[::1"),
        *("backend:80", "http://backend", "a..b", ".", "a" * 64, "a." * 127 + "a", "1.2.3", "\xfc"),
    ],
)
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(ValueError, match=r"neither an address nor .* port comes from proxy_pass"):
        ProxyOptions(add_host=(f"backend={address}",))


@pytest.mark.parametrize("text", ["name", "=1.2.3.4", "name=", "="])
def test_what_is_no_pair(text: str) -> None:
    with pytest.raises(ValueError, match="--add-host takes NAME=ADDRESS, not"):
        ProxyOptions(add_host=(text,))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("8085", ("127.0.0.1", 8085)),
        ("127.0.0.2:0", ("127.0.0.2", 0)),
        ("[::1]:65535", ("::1", 65535)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_where_the_status_is_told(text: str, address: tuple[str, int]) -> None:
    assert ProxyOptions(status=text).status_address == address


def test_no_status_is_told_unasked() -> None:
    assert ProxyOptions().status_address is None


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "", ":", ":80", "h:", "h:65536", "h:x", "a b:80", "h:1:2", "h:\u0661"]
)
def test_what_is_no_status_address(text: str) -> None:
    with pytest.raises(ValueError, match="--status takes HOST:PORT or PORT, not"):
        ProxyOptions(status=text)


@pytest.mark.parametrize("version", ["new", "9.9"])
def test_what_is_no_version(version: str) -> None:
    with pytest.raises(ValueError, match="no version of nginx"):
        ProxyOptions(nginx=version)


def test_a_version() -> None:
    assert ProxyOptions(nginx="1.22").nginx == "1.22"


def test_where_names_are_below() -> None:
    assert ProxyOptions(conf="/a/b.conf").folder == "/a"
    options = ProxyOptions(conf="b.conf", prefix="/p/q")
    assert (options.conf_path, options.folder) == ("/p/q/b.conf", "/p/q")


def test_what_is_asked_of_tunnels() -> None:
    assert ProxyOptions().tunnels == TunnelOptions()
    asked = ProxyOptions(ws_message_limit="1m", ws_ping_interval="1m 30s", spin=200).tunnels
    assert asked == TunnelOptions(
        message_limit_octets=1024 * 1024, ping_interval_s=90.0, spin_s=0.0002
    )


@pytest.mark.parametrize("text", ["0", "", "1g", "-1", "1 m"])
def test_what_is_no_message_limit(text: str) -> None:
    with pytest.raises(ValueError, match="--ws-message-limit takes a SIZE"):
        ProxyOptions(ws_message_limit=text)


@pytest.mark.parametrize("text", ["0", "", "soon", "-1s"])
def test_what_is_no_ping_interval(text: str) -> None:
    with pytest.raises(ValueError, match="--ws-ping-interval takes a TIME"):
        ProxyOptions(ws_ping_interval=text)


@pytest.mark.parametrize("microseconds", [-1, 10_001])
def test_how_long_nobody_spins(microseconds: int) -> None:
    with pytest.raises(ValueError, match="--spin takes 0 to 10000 microseconds"):
        ProxyOptions(spin=microseconds)
