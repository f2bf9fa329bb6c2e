"""Reloads and dying workers under load: no request may fail, and no tunnel may be lost.

UPWIRE_RELOAD_TUNNELS and UPWIRE_RELOADS make it longer; `make reload-test` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

from kit.nginx import ACCEPT_FIELD, KEY_FIELD, WAIT_S, Running, frame_conf, free_port, running

TUNNELS = int(os.environ.get("UPWIRE_RELOAD_TUNNELS", "20"))
RELOADS = int(os.environ.get("UPWIRE_RELOADS", "3"))
CLIENTS = 4

HANDSHAKE = (
    "GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    f"{KEY_FIELD}\r\nSec-WebSocket-Version: 13\r\n\r\n"
).encode()
SWITCH = (
    "HTTP/1.1 101 Switching Protocols\r\n"
    f"Upgrade: websocket\r\nConnection: Upgrade\r\n{ACCEPT_FIELD}\r\n\r\n"
).encode()
CONF = """
    server {{
        listen 127.0.0.1:{port};
        location /plain {{
            proxy_pass http://127.0.0.1:{backend};
        }}
        location / {{
            proxy_pass http://127.0.0.1:{backend};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            add_header X-Worker $pid always;
        }}
    }}
"""
MAIN = "worker_processes 2; worker_rlimit_nofile 4096;"


async def serve_backend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Switch and echo octets, or answer one plain request."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"GET /ws" in head:
            writer.write(SWITCH)
            while octets := await reader.read(4096):
                writer.write(octets)
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nplain")
            await writer.drain()
    finally:
        writer.close()


class Tunnel:
    """A client's tunnel, which sends a frame and waits for it. worker: who carries it."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, worker: int
    ) -> None:
        self.worker = worker
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Tunnel:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HANDSHAKE)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head
        (worker,) = re.findall(rb"X-Worker: (\d+)", head)
        return cls(reader, writer, int(worker))

    async def is_alive(self) -> bool:
        """Whether a frame comes back."""
        frame = b"\x82\x84\0\0\0\0" + os.urandom(4)
        try:
            self._writer.write(frame)
            async with asyncio.timeout(WAIT_S):
                return await self._reader.readexactly(len(frame)) == frame
        except (OSError, EOFError, TimeoutError):
            return False

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(ConnectionResetError):
            await self._writer.wait_closed()


async def ask_persistently(port: int, stopping: asyncio.Event) -> int:
    """Make requests on one connection after the other, as long as each lasts; return how many.

    A connection that ends without having announced it fails the test.
    """
    answered = 0
    while not stopping.is_set():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        is_last = False
        while not is_last and not stopping.is_set():
            writer.write(b"GET /plain HTTP/1.1\r\nHost: h\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 ")
            assert await reader.readexactly(5) == b"plain"
            is_last = b"\r\nConnection: close\r\n" in head
            answered += 1
        writer.close()
        await writer.wait_closed()
    return answered


async def ask_anew(port: int, stopping: asyncio.Event) -> int:
    """Make each request on a connection of its own; return how many were answered."""
    answered = 0
    while not stopping.is_set():
        assert await fetch(port, "/plain") == b"plain"
        answered += 1
    return answered


async def fetch(port: int, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 200 ")
    return answer.partition(b"\r\n\r\n")[2]


async def wait_for_log(proxy: Running, text: str, times: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while proxy.error_log().count(text) < times:  # noqa: ASYNC110
            await asyncio.sleep(0.01)  # nobody tells us when a log has grown


Act = Callable[[Running, int], Awaitable[None]]


def run(tmp_path: Path, act: Act, main: str = MAIN) -> None:
    """Run a proxy, and a backend behind it, around act."""

    async def inner() -> None:
        backend = await asyncio.start_server(serve_backend, "127.0.0.1", 0)
        backend_port = backend.sockets[0].getsockname()[1]
        port = free_port()
        conf = frame_conf(CONF.format(port=port, backend=backend_port), main)
        conf = conf.replace("worker_connections 256;", "worker_connections 4096;")
        async with backend:
            with running("upwire", conf, tmp_path, [port]) as proxy:
                await act(proxy, port)

    asyncio.run(inner())


def test_reloads_lose_nothing(tmp_path: Path) -> None:
    async def act(proxy: Running, port: int) -> None:
        tunnels = [await Tunnel.open(port) for _ in range(TUNNELS)]
        stopping = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            clients = [
                group.create_task(ask(port, stopping))
                for ask in (ask_persistently, ask_anew)
                for _ in range(CLIENTS)
            ]
            for number in range(1, RELOADS + 1):
                proxy.signal(signal.SIGHUP)
                await wait_for_log(proxy, "configuration is in force", number)
                await wait_for_log(proxy, "start worker process ", 2 + 2 * number)
                assert all([await tunnel.is_alive() for tunnel in tunnels])
            stopping.set()
        assert all(client.result() > 0 for client in clients)
        assert all([await tunnel.is_alive() for tunnel in tunnels])
        for tunnel in tunnels:
            await tunnel.close()
        await wait_for_log(proxy, "exited with code 0", 2 * RELOADS)
        assert "[alert]" not in proxy.error_log()

    run(tmp_path, act)


def test_a_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    async def act(proxy: Running, port: int) -> None:
        tunnels = [await Tunnel.open(port) for _ in range(10)]
        victim, other = workers_of(proxy)
        os.kill(victim, signal.SIGKILL)
        await wait_for_log(proxy, f"[alert] {proxy.process.pid}#", 1)
        assert f"worker process {victim} exited on signal 9" in proxy.error_log()
        await wait_for_log(proxy, "start worker process ", 3)
        assert other in workers_of(proxy)
        assert await fetch(port, "/plain") == b"plain"
        assert len(workers_of(proxy)) == 2
        for tunnel in tunnels:
            assert await tunnel.is_alive() == (tunnel.worker != victim)
            await tunnel.close()

    run(tmp_path, act)


def workers_of(proxy: Running) -> list[int]:
    """Return the process numbers of the workers."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(proxy.process.pid)],
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(number) for number in re.findall(r"\d+", listed.stdout)]
