"""Where `upwire serve --proxy` finds its application in a configuration."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

import pytest

from upwire.errors import ConfigError, UpwireError
from upwire.fronting import Backend, find_backend, proxy_in_front, warn_of_move

SERVER = "events {{}} http {{ {http} server {{ listen 127.0.0.1:8000; {server} }} }}"


def write(folder: Path, server: str, http: str = "") -> str:
    path = folder / "nginx.conf"
    path.write_text(SERVER.format(http=http, server=server))
    return str(path)


@pytest.mark.parametrize(
    ("server", "http", "backend"),
    [
        ("location / { proxy_pass http://127.0.0.1:9000; }", "", Backend("127.0.0.1", 9000)),
        (
            "location / { location /a { proxy_pass http://u; } }",
            "upstream u { server 127.0.0.1:9000; }",
            Backend("127.0.0.1", 9000),
        ),
        (
            "location / { proxy_pass http://unix:/run/app; } "
            "location /ws { proxy_pass http://unix:/run/app; }",
            "",
            Backend("", 0, "/run/app"),
        ),
    ],
)
def test_the_one_backend(server: str, http: str, backend: Backend, tmp_path: Path) -> None:
    found = find_backend(write(tmp_path, server, http))
    assert (found.port, found.unix) == (backend.port, backend.unix)
    assert str(found) == str(backend)


@pytest.mark.parametrize(
    ("server", "names"),
    [
        ("return 200 x;", "names none"),
        (
            "location /a { proxy_pass http://127.0.0.1:1; } "
            "location /b { proxy_pass http://127.0.0.1:2; }",
            "names 127.0.0.1:1, 127.0.0.1:2",
        ),
    ],
)
def test_none_or_several(server: str, names: str, tmp_path: Path) -> None:
    with pytest.raises(UpwireError, match=names):
        find_backend(write(tmp_path, server))


def test_a_configuration_with_faults(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='unknown directive "wrong"'):
        find_backend(write(tmp_path, "wrong;"))


@pytest.mark.parametrize(
    ("server", "warning"),
    [
        ("location / { proxy_pass http://127.0.0.1:9000; }", ""),
        (
            "location / { proxy_pass http://127.0.0.1:9001; }",
            "now names 127.0.0.1:9001; the application stays at 127.0.0.1:9000 until a restart",
        ),
        ("return 200 x;", "names none; the application stays at 127.0.0.1:9000"),
        ("wrong;", ""),
    ],
)
def test_a_backend_that_moves_at_a_reload_is_told(
    server: str, warning: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    before = find_backend(write(tmp_path, "location / { proxy_pass http://127.0.0.1:9000; }"))
    with caplog.at_level(logging.WARNING, "upwire.asgi"):
        warn_of_move(write(tmp_path, server), before)
    assert warning in caplog.text
    assert bool(caplog.records) is bool(warning)


def test_a_signal_is_left_to_who_waits_for_it_in_the_main_thread(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(f"events {{}} http {{ server {{ listen unix:{tmp_path}/front; }} }}")
    with proxy_in_front(str(path), Backend("127.0.0.1", 9000)):
        watching = next(one for one in threading.enumerate() if one.name == "proxy")
        while not blocks(watching, signal.SIGTERM):
            os.sched_yield()


def blocks(thread: threading.Thread, number: signal.Signals) -> bool:
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text("utf-8")
    mask = next(line for line in status.splitlines() if line.startswith("SigBlk:"))
    return bool(int(mask.split()[1], 16) >> (number - 1) & 1)
