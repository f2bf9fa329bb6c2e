"""set_real_ip_from: the client's address as trusted ones give it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.proxy_site import LISTENING, cycle_of, make_request, read_conf
from upwire.proxy.cycle import Cycle, Surroundings
from upwire.proxy.modules import realip
from upwire.proxy.request import Request
from upwire.proxy.status import Counters
from upwire.wire.proxy_protocol import ProxyHeader

SEEN = ("remote_addr", "remote_port", "realip_remote_addr", "realip_remote_port")


@pytest.mark.parametrize(
    ("conf", "fields", "seen"),
    [
        ("", {"X-Real-IP": "1.1.1.1"}, ("10.1.2.3", "4567", "10.1.2.3", "4567")),
        (
            "set_real_ip_from 10.0.0.0/8;",
            {"X-Real-IP": "1.1.1.1:80"},
            ("1.1.1.1", "80", "10.1.2.3", "4567"),
        ),
        ("set_real_ip_from 10.0.0.0/8;", {}, ("10.1.2.3", "4567", "10.1.2.3", "4567")),
        (
            "set_real_ip_from 11.0.0.0/8;",
            {"X-Real-IP": "1.1.1.1"},
            ("10.1.2.3", "4567", "10.1.2.3", "4567"),
        ),
        (
            "set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on;",
            {"X-Forwarded-For": "1.1.1.1, 10.9.9.9"},
            ("1.1.1.1", "", "10.1.2.3", "4567"),
        ),
        (
            "set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol;",
            {},
            ("2.2.2.2", "99", "10.1.2.3", "4567"),
        ),
    ],
)
def test_addresses(
    conf: str, fields: dict[str, str], seen: tuple[str, ...], tmp_path: Path
) -> None:
    async def run() -> None:
        with cycle_of(LISTENING.format(directives=conf), tmp_path) as cycle:
            request = make_request(cycle, "/", fields)
            request.client.proxied = ProxyHeader("2.2.2.2", 99, "3.3.3.3", 100)
            for _ in range(2):  # both phases that ask
                assert await realip.change_address(request) is None
            assert tuple(request.lookup(name) for name in SEEN) == seen

    asyncio.run(run())


def test_the_next_request_begins_with_the_connection(tmp_path: Path) -> None:
    async def run() -> None:
        conf = "set_real_ip_from 10.0.0.0/8;"
        with cycle_of(LISTENING.format(directives=conf), tmp_path) as cycle:
            request = make_request(cycle, "/", {"X-Real-IP": "1.1.1.1"})
            client = request.client
            await realip.change_address(request)
            assert (client.address, client.connected) == ("10.1.2.3", None)

    asyncio.run(run())


def test_hosts_may_be_trusted(tmp_path: Path) -> None:
    conf = "server { listen 127.0.0.1:80; set_real_ip_from proxy.test; }"
    found = ["10.9.9.9", "10.1.2.3"]
    around = Surroundings(prefix=str(tmp_path), resolve=lambda _: found, counters=Counters())
    cycle = Cycle(read_conf(f"access_log off; error_log error.log; {conf}"), around)
    request = make_request(cycle, "/", {"X-Real-IP": "1.1.1.1"})
    asyncio.run(_change(request))
    assert request.client.address == "1.1.1.1"
    cycle.close()


async def _change(request: Request) -> None:
    assert await realip.change_address(request) is None
