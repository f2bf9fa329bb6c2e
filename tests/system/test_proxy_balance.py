"""Choosing a peer, and keeping connections to it: the same on Upwire and on nginx."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kit.nginx import (
    Backend,
    Running,
    answer_with,
    close_script,
    frame_conf,
    free_port,
    get,
    is_nginx_there,
    running,
)

BALANCE = (Path(__file__).parent / "balance.conf").read_text()


@dataclass
class Balance:
    """A proxy with several backends, each of which answers with its letter."""

    proxy: Running
    port: int
    backends: dict[str, Backend]
    ports: dict[str, int]

    def tries(self, target: str) -> str:
        """Return what the log says about the tries of one request."""
        log = self.proxy.wait_log("tries.log", target)
        return next(line for line in log.splitlines() if line.startswith(target + " "))


@pytest.fixture(
    scope="module",
    params=[
        "upwire",
        pytest.param(
            "nginx", marks=pytest.mark.skipif(not is_nginx_there(), reason="no nginx here")
        ),
    ],
)
def balance(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Balance]:
    letters = {
        letter: Backend(answer_with(f"HTTP/1.1 200 OK\nContent-Length: 1\n\n{letter}"))
        for letter in "abc"
    }
    wrong = Backend(answer_with("HTTP/1.1 503 Busy\nContent-Length: 4\n\nbusy"))
    with letters["a"], letters["b"], letters["c"], wrong, Backend(close_script) as close:
        backends = letters | {"close": close, "wrong": wrong}
        ports = {name: backend.port for name, backend in backends.items()}
        ports |= {"port": free_port(), "dead": free_port()}
        kind: str = request.param
        folder = tmp_path_factory.mktemp(kind)
        conf = frame_conf(BALANCE % ports)
        with running(kind, conf, folder, [ports["port"]], "--nginx", "1.22") as proxy:
            yield Balance(proxy, ports["port"], backends, ports)


def test_the_smooth_weighted_round_robin(balance: Balance) -> None:
    answers = [get(balance.port, "/weighted").content.decode() for _ in range(14)]
    assert "".join(answers) == "aabacaaaabacaa"


def test_a_dead_peer_is_passed_over(balance: Balance) -> None:
    assert [get(balance.port, f"/half/{number}").content for number in range(4)] == [b"a"] * 4
    dead, live = balance.ports["dead"], balance.ports["a"]
    assert balance.tries("/half/0") == f"/half/0 200 502, 200 127.0.0.1:{dead}, 127.0.0.1:{live}"
    assert balance.tries("/half/1") == f"/half/1 200 200 127.0.0.1:{live}"
    assert "upstream server temporarily disabled while" in balance.proxy.error_log()


def test_a_backup_stands_in(balance: Balance) -> None:
    assert get(balance.port, "/spare").content == b"b"


def test_a_peer_that_is_down_gets_nothing(balance: Balance) -> None:
    assert [get(balance.port, "/down").content for _ in range(3)] == [b"c"] * 3


def test_no_peer_is_left(balance: Balance) -> None:
    assert get(balance.port, "/none").status == 502
    assert balance.tries("/none") == "/none 502 502 none"
    assert "no live upstreams while connecting to upstream" in balance.proxy.error_log()


def test_a_request_that_may_be_repeated_is(balance: Balance) -> None:
    assert get(balance.port, "/flaky/get").content == b"c"
    assert get(balance.port, "/flaky/put", "Content-Length: 0", method="PUT").content == b"c"
    assert get(balance.port, "/flaky/post", "Content-Length: 0", method="POST").status == 502
    assert get(balance.port, "/next").status == 502


def test_an_error_page_in_the_place_of_an_upstreams(balance: Balance) -> None:
    answer = get(balance.port, "/wrong")
    assert (answer.status, answer.content) == (503, b"instead")


def test_connections_to_the_upstream_are_kept(balance: Balance) -> None:
    backend = balance.backends["a"]
    before = backend.connections
    for _ in range(3):
        assert get(balance.port, "/kept").content == b"a"
    assert backend.connections == before + 1
