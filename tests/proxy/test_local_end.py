"""Where connections to upstreams come from."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from kit.loop import in_loop
from kit.memory_stream import memory_pair
from kit.proxy_site import cycle_of, make_request
from kit.socket_stream import socket_streams
from upwire.proxy.local_end import LocalEnd, keep_alive, local_end


@pytest.mark.parametrize(
    ("directive", "end"),
    [
        ("", LocalEnd()),
        ("proxy_bind off;", LocalEnd()),
        ("proxy_bind 127.0.0.2;", LocalEnd("127.0.0.2")),
        ("proxy_bind 127.0.0.2:81;", LocalEnd("127.0.0.2", 81)),
        ("proxy_bind [::1]:82 transparent;", LocalEnd("::1", 82, True)),
        ("proxy_bind $arg_b;", LocalEnd("::2")),
        ("proxy_bind $arg_none;", LocalEnd()),
        ("proxy_bind $arg_bad;", LocalEnd()),
    ],
)
def test_local_ends(directive: str, end: LocalEnd, tmp_path: Path) -> None:
    with cycle_of(
        f"server {{ listen 127.0.0.1:80; location / {{ {directive} }} }}", tmp_path
    ) as cycle:
        assert local_end(make_request(cycle, "/?b=::2&bad=x:y")) == end
    is_logged = 'invalid local address "x:y"' in (tmp_path / "error.log").read_text()
    assert is_logged == ("bad" in directive)


@in_loop
async def test_the_system_probes_a_silent_peer() -> None:
    near, far = await socket_streams()
    keep_alive(near)
    sock = near.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    for stream in (near, far):
        stream.abort()
        await stream.wait_closed()


@in_loop
async def test_what_is_no_socket_has_no_probes() -> None:
    keep_alive(memory_pair()[0])
