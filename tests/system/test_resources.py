"""What is short: descriptors, disk, and patience with clients that say nothing."""

from __future__ import annotations

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.nginx import WAIT_S, frame_conf, free_port, get, running, wait_until

RETURNING = "server {{ listen 127.0.0.1:{port}; {more} return 200 here; }}"
SILENT = 2000


@contextlib.contextmanager
def silent_clients(port: int, number: int) -> Iterator[list[socket.socket]]:
    """Connect, and say nothing."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), WAIT_S))
            for _ in range(number)
        ]


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let this process have as many as the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < SILENT + 100:
        pytest.skip(f"this system allows {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, SILENT + 100), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_too_few_descriptors(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port, more=""), "worker_rlimit_nofile 40;")
    with running("upwire", conf, tmp_path, [port]) as proxy:
        with silent_clients(port, 100):
            proxy.wait_log("error.log", "accept() failed: ")
        wait_until(lambda: get(port, "/").content == b"here")
        log = proxy.error_log()
        assert log.count("accept() failed: ") == 1
        assert "exited" not in log


def test_a_full_disk(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port, more="access_log /dev/full;"))
    with running("upwire", conf, tmp_path, [port]) as proxy:
        for _ in range(5):
            assert get(port, "/").content == b"here"
        log = proxy.error_log()
    message = 'write() to "/dev/full" failed (28: No space left on device)'
    assert log.count(message) == 1
    assert "exited" not in log


def test_a_full_disk_under_the_error_log(tmp_path: Path) -> None:
    port = free_port()
    conf = frame_conf(RETURNING.format(port=port, more="")).replace(
        "error_log error.log info", "error_log /dev/full info"
    )
    with running("upwire", conf, tmp_path, [port]):
        for _ in range(5):
            assert get(port, "/no\x01sense").status == 400
            assert get(port, "/").content == b"here"


@pytest.mark.usefixtures("many_descriptors")
def test_silent_clients_keep_nobody_from_being_served(tmp_path: Path) -> None:
    port = free_port()
    main = f"worker_rlimit_nofile {SILENT + 100};"
    conf = frame_conf(RETURNING.format(port=port, more=""), main)
    conf = conf.replace("worker_connections 256", f"worker_connections {SILENT + 50}")
    with running("upwire", conf, tmp_path, [port]) as proxy, silent_clients(port, SILENT):
        for _ in range(5):
            assert get(port, "/").content == b"here"
        assert "not enough" not in proxy.error_log()
