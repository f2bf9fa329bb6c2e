"""Faults staged on the real nginx, each of which `upwire probe` must name."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kit.nginx import (
    Backend,
    answer_with,
    environment,
    frame_conf,
    free_port,
    is_nginx_there,
    read_all,
    running,
)
from upwire.conf.audit.finding import Severity
from upwire.probe.blame import place
from upwire.probe.echo_backend import echo_backend
from upwire.probe.evidence import Evidence, Finding
from upwire.probe.gathering import gather
from upwire.probe.hops import Budget
from upwire.probe.options import ProbeOptions
from upwire.probe.verdicts import judge
from upwire.wire.handshake import compute_accept

pytestmark = pytest.mark.skipif(not is_nginx_there(), reason="the real nginx is not installed")

WAIT_S = 10.0
MAP = "map $http_upgrade $connection_upgrade { default upgrade; '' ''; }"
UPGRADE = "proxy_set_header Upgrade $http_upgrade;"
CONNECTION = "proxy_set_header Connection $connection_upgrade;"
HOST = "proxy_set_header Host $http_host;"
VERSION = "proxy_http_version 1.1;"
RIGHT = f"{VERSION} {UPGRADE} {CONNECTION} {HOST}"
KEY = re.compile(rb"sec-websocket-key: *([^\r]+)", re.I)


@dataclass(frozen=True)
class Staged:
    """A fault: what stands in the server and in http, where BACKEND is the backend's address.

    option: what the prober is told. is_compared: it knows the backend.
    """

    fault: str
    server: str
    http: str = MAP
    path: str = "/ws"
    is_compared: bool = False
    parallel: int = 1
    idle: float | None = None
    main: str = ""


def location(lines: str, *, where: str = "/ws", uri: str = "") -> str:
    return f"location {where} {{ proxy_pass http://BACKEND{uri}; {lines} }}"


STAGED = [
    Staged("F01", location("")),
    Staged("F01", location(""), is_compared=True),
    Staged("F02", location(f"{VERSION} {UPGRADE} {HOST}")),
    Staged("F02", location(f"{VERSION} {CONNECTION} {HOST}")),
    Staged("F03", location(f"proxy_http_version 1.0; {UPGRADE} {CONNECTION} {HOST}")),
    Staged(
        "F04",
        f"{RIGHT} {location('proxy_set_header X-Own 1;')} {location('', where='/')}",
    ),
    Staged("F05", location(f"{VERSION} {UPGRADE} proxy_set_header Connection upgrade; {HOST}")),
    Staged("F06", location(f"{VERSION} proxy_set_header Upgrade websocket; {CONNECTION} {HOST}")),
    Staged(
        "F09",
        location(f"{VERSION} {UPGRADE} proxy_set_header Connection $http_connection; {HOST}"),
    ),
    Staged("F10", location(f"{RIGHT} proxy_set_header Connection keep-alive;")),
    Staged("F10", location(f"{RIGHT} proxy_set_header Host other;")),
    Staged("F12", location(RIGHT)),
    Staged("F13", location(f'{RIGHT} proxy_set_header Sec-WebSocket-Protocol "";')),
    Staged("F13", location(f"{RIGHT} proxy_hide_header Sec-WebSocket-Extensions;")),
    Staged("F14", location(RIGHT)),
    Staged("F20 F21", location(f"{RIGHT} proxy_read_timeout 600ms;"), idle=1.2),
    Staged("F27", location(RIGHT)),
    Staged("F30", location(RIGHT, where="/s", uri="/"), path="/s/x"),
    Staged("F30", location(RIGHT, where="/s/", uri="/"), path="/s/x"),
    Staged("F31", location(RIGHT, where="/chat/"), path="/chat"),
    Staged("F31", location(RIGHT, where="/chat/"), path="/chat/"),
    Staged("F32", "return 301 https://$host$request_uri;"),
    Staged(
        "F33",
        f"{location(RIGHT, where='/rx/')} location ~* \\.(json|js)$ {{ root html; }}",
        path="/rx/feed.json",
    ),
    Staged("F35", 'location / { default_type text/html; return 200 "<html></html>"; }'),
    Staged(
        "F36",
        f"set $name localhost:1; location /ws {{ proxy_pass http://$name; {RIGHT} }}",
    ),
    Staged(
        "F36",
        f"set $addr BACKEND; location /ws {{ proxy_pass http://$addr$uri; {RIGHT} }}",
    ),
    Staged("F39", location(f'if ($http_upgrade != "websocket") {{ return 404; }} {RIGHT}')),
    Staged("F50", location(f"{VERSION} {UPGRADE} {CONNECTION}")),
    Staged("F51", location(f"{VERSION} {UPGRADE} {CONNECTION} proxy_set_header Host $host;")),
    Staged("F52", location(f'{RIGHT} proxy_set_header Origin "";')),
    Staged("F55", location(f"{RIGHT} auth_basic x; auth_basic_user_file /dev/null;")),
    Staged(
        "F56",
        f"{RIGHT} {location('auth_request /auth;')} "
        "location = /auth { internal; proxy_pass http://BACKEND; }",
    ),
    Staged("F60", location(f"{RIGHT} deny all;")),
    Staged("F61", location(RIGHT)),
    Staged("F62", location(f"{RIGHT} proxy_buffer_size 4k;")),
    Staged(
        "F63",
        f"error_page 400 426 =200 /f; {location('proxy_intercept_errors on;')}"
        ' location = /f { return 200 "fallback"; }',
    ),
    Staged(
        "F63",
        f"error_page 400 426 =200 /f; {location(f'{RIGHT} proxy_intercept_errors on;')}"
        ' location = /f { return 200 "fallback"; }',
    ),
    Staged(
        "F58",
        location(f"{RIGHT} limit_conn here 2;"),
        f"{MAP} limit_conn_zone $server_port zone=here:1m;",
        parallel=4,
    ),
    Staged(
        "F59",
        location(f"{RIGHT} limit_req zone=here;"),
        f"{MAP} limit_req_zone $server_port zone=here:1m rate=1r/s;",
        parallel=4,
    ),
    Staged("F70", location(RIGHT), parallel=12, main="worker_connections 12;"),
    Staged(
        "F79",
        location(f"{RIGHT} proxy_cache here; proxy_cache_lock on; proxy_cache_key $uri;"),
        f"{MAP} proxy_cache_path cache keys_zone=here:1m;",
        parallel=3,
    ),
    Staged("F84", location(f"{RIGHT} add_header X-Served-By edge;")),
]


@contextlib.contextmanager
def echo_port() -> Iterator[int]:
    """Run the prober's own backend in a thread: the strict one."""
    port: Future[int] = Future()
    end: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        event = asyncio.Event()
        end.set_result((asyncio.get_running_loop(), event))
        async with echo_backend("127.0.0.1", 0) as bound:
            port.set_result(bound)
            await event.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        yield port.result(WAIT_S)
    finally:
        loop, event = end.result(WAIT_S)
        loop.call_soon_threadsafe(event.set)
        thread.join(WAIT_S)


def probe(url: str, **given: object) -> tuple[Evidence, list[Finding]]:
    options = ProbeOptions(url=url, **{"timeout": 2.0, "parallel": 1} | given)  # type: ignore[arg-type]  # as the case says
    evidence = asyncio.run(gather(options, Budget(options.connections_max), lambda _: None))
    return evidence, judge(evidence)


def faults(findings: list[Finding]) -> set[str]:
    return {finding.fault for finding in findings}


def conf_of(staged: Staged, port: int, backend: int) -> str:
    server = staged.server.replace("BACKEND", f"127.0.0.1:{backend}")
    conf = frame_conf(f"{staged.http} server {{ listen 127.0.0.1:{port}; {server} }}")
    return conf.replace("worker_connections 256;", staged.main or "worker_connections 256;")


@pytest.mark.parametrize("staged", STAGED, ids=lambda staged: staged.fault)
def test_a_staged_fault_is_named(staged: Staged, tmp_path: Path) -> None:
    port = free_port()
    with echo_port() as backend:
        conf = conf_of(staged, port, backend)
        with running("nginx", conf, tmp_path, [port]):
            _, findings = probe(
                f"ws://127.0.0.1:{port}{staged.path}",
                backend=f"127.0.0.1:{backend}" if staged.is_compared else None,
                parallel=staged.parallel,
                idle=staged.idle,
            )
    assert set(staged.fault.split()) <= faults(findings), findings
