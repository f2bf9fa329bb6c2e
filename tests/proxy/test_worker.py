"""`Service` and `Worker` in this very process: reloads, ports, and the status."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kit.certificates import make_certificates
from kit.nginx import Answer, frame_conf, free_port, parse_answer
from upwire.errors import ConfigError, StreamError
from upwire.net.dial import dial
from upwire.net.stream import Stream
from upwire.net.tls import client_context
from upwire.proxy.load import load_file
from upwire.proxy.options import ProxyOptions
from upwire.proxy.service import Service, load
from upwire.proxy.worker import Worker
from upwire.wire.handshake import compute_accept

Act = Callable[[Worker, int], Awaitable[None]]
ONE = "server {{ listen 127.0.0.1:{port}; return 200 one; }}"


async def get(port: int, target: str = "/", *, is_tls: bool = False, unix: str = "") -> Answer:
    """Ask over a connection of its own."""
    stream = await dial(
        "127.0.0.1",
        port,
        unix=unix or None,
        tls=client_context(is_verified=False) if is_tls else None,
        timeout_s=10,
    )
    stream.write(f"GET {target} HTTP/1.0\r\nHost: h\r\n\r\n".encode())
    received = bytearray()
    while octets := await stream.read(timeout_s=10):
        received += octets
    stream.close()
    await stream.wait_closed()
    return parse_answer(bytes(received))


def run(folder: Path, http: str, act: Act, *, connections: int = 256, **given: str) -> str:
    """Run a proxy in folder around act, and return its error log."""
    port = free_port()
    conf = frame_conf(http.format(port=port, folder=folder))
    conf = conf.replace("worker_connections 256", f"worker_connections {connections}")
    (folder / "nginx.conf").write_text(conf)
    options = ProxyOptions(conf=str(folder / "nginx.conf"), **given)  # type: ignore[arg-type]  # all are texts

    async def inner() -> Service:
        service = Service(options, load(options))
        service.open()
        worker = Worker(service)
        serving = asyncio.create_task(worker.serve(worker.signals()))
        try:
            await act(worker, port)
        finally:
            worker.stop(is_graceful=False)
            await serving
        return service

    asyncio.run(inner()).close()  # behind the loop, as a worker does
    return (folder / "error.log").read_text()


def test_a_proxy_serves_until_it_is_stopped(tmp_path: Path) -> None:
    async def act(worker: Worker, port: int) -> None:
        assert (await get(port)).content == b"one"

    run(tmp_path, ONE, act)


def test_idle_connections_to_upstreams_end_with_the_loop(tmp_path: Path) -> None:
    def answer_once(listening: socket.socket) -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
            assert connection.recv(4096) == b""

    async def act(worker: Worker, port: int) -> None:
        assert (await get(port)).content == b"hi"
        idle = worker.service.cycle.upstreams["u"].idle
        assert idle is not None
        assert len(idle) == 1

    with socket.create_server(("127.0.0.1", 0)) as listening, ThreadPoolExecutor() as threads:
        answered = threads.submit(answer_once, listening)
        http = f"upstream u {{{{ server 127.0.0.1:{listening.getsockname()[1]}; keepalive 4; }}}} "
        http += (
            "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://u; "
            'proxy_http_version 1.1; proxy_set_header Connection ""; }} }}'
        )
        run(tmp_path, http, act)
        answered.result(10)


def test_a_reload_changes_what_is_open(tmp_path: Path) -> None:
    other = free_port()

    async def act(worker: Worker, port: int) -> None:
        path = tmp_path / "nginx.conf"
        path.write_text(frame_conf(ONE.format(port=other).replace("one", "two")))
        worker.service.reload()
        assert (await get(other)).content == b"two"
        path.write_text("events {} http { wrong; }")
        worker.service.reload()
        with socket.create_server(("127.0.0.1", 0)) as taken:
            path.write_text(
                frame_conf(ONE.format(port=free_port()) + ONE.format(port=taken.getsockname()[1]))
            )
            worker.service.reload()
        assert (await get(other)).content == b"two"
        path.write_text(frame_conf("disable_symlinks on;" + ONE.format(port=other)))
        worker.service.reload()

    log = run(tmp_path, ONE, act)
    assert 'unknown directive "wrong"' in log
    assert "bind() to 127.0.0.1:" in log
    assert "symbolic links ARE followed: Upwire does not act on disable_symlinks yet in " in log


def test_logs_are_opened_anew(tmp_path: Path) -> None:
    async def act(worker: Worker, port: int) -> None:
        (tmp_path / "access.log").unlink()
        worker.service.reopen_logs()
        assert (tmp_path / "access.log").exists()
        (tmp_path / "access.log").unlink()
        (tmp_path / "access.log").mkdir()
        worker.service.reopen_logs()

    assert "access.log" in run(tmp_path, ONE, act)


def test_a_graceful_end_waits_for_requests(tmp_path: Path) -> None:
    async def act(worker: Worker, port: int) -> None:
        stream = await dial("127.0.0.1", port, timeout_s=10)
        stream.write(b"GET / HTTP/1.1\r\nHost: h\r\n")
        assert (await get(port)).status == 200
        worker.stop(is_graceful=True)
        stream.write(b"\r\n")
        received = b""
        while octets := await stream.read(timeout_s=10):
            received += octets
        assert received.endswith(b"one")
        stream.close()
        await stream.wait_closed()

    run(tmp_path, ONE, act)


async def talk(stream: Stream, octets: bytes) -> bytes:
    """Send octets, and return what comes until the end."""
    stream.write(octets)
    received = b""
    while more := await stream.read(timeout_s=10):
        received += more
    stream.close()
    await stream.wait_closed()
    return received


async def leave(stream: Stream) -> None:
    """End a connection without a word."""
    stream.abort()
    await stream.wait_closed()


async def ask_and_stay(port: int) -> Stream:
    """Return a connection that has had an answer and may have another."""
    stream = await dial("127.0.0.1", port, timeout_s=10)
    stream.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    assert (await stream.read(timeout_s=10)).endswith(b"one")
    return stream


def test_an_idle_connection_may_ask_once_more_at_a_graceful_end(tmp_path: Path) -> None:
    async def act(worker: Worker, port: int) -> None:
        asking, silent = await ask_and_stay(port), await ask_and_stay(port)
        worker.stop(is_graceful=True)
        while worker.service.ports.addresses:  # noqa: ASYNC110  # its own loop is this one
            await asyncio.sleep(0)
        received = await talk(asking, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        assert b"\r\nConnection: close\r\n" in received
        assert await talk(silent, b"") == b""

    run(tmp_path, ONE, act)


def test_a_second_signal_ends_the_patience(tmp_path: Path) -> None:
    async def act(worker: Worker, port: int) -> None:
        stream = await dial("127.0.0.1", port, timeout_s=10)
        stream.write(b"GET / HT")
        await get(port)
        worker.stop(is_graceful=True)
        worker.stop(is_graceful=True)
        with contextlib.suppress(StreamError):
            assert await stream.read(timeout_s=10) == b""
        await leave(stream)

    run(tmp_path, ONE, act)


def test_waiting_connections_make_room(tmp_path: Path) -> None:
    async def act(worker: Worker, port: int) -> None:
        first, second = await ask_and_stay(port), await ask_and_stay(port)
        assert worker.service.counters.totals().waiting == 2
        first.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HT")
        assert (await first.read(timeout_s=10)).endswith(b"one")
        third = await ask_and_stay(port)
        assert await talk(second, b"") == b""
        third.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\nGET / HT")
        assert (await third.read(timeout_s=10)).endswith(b"one")
        fourth = await ask_and_stay(port)
        for stream in (first, third, fourth):
            await leave(stream)

    log = run(tmp_path, ONE, act, connections=3)
    assert "[warn]" in log
    assert "3 worker_connections are not enough, reusing connections" in log
    assert "3 worker_connections are not enough\n" in log


def test_the_status(tmp_path: Path) -> None:
    status_port = free_port()

    async def act(worker: Worker, port: int) -> None:
        await get(port)
        answer = await get(status_port)
        status = json.loads(answer.content)
        assert answer.fields["content-type"] == "application/json"
        assert status["requests"] == {"total": 1, "by_status": {"200": 1}}
        assert status["connections"]["accepted"] == 1
        assert status["tunnels"]["open"] == 0
        assert (await get(status_port, "/x")).status == 404

    run(tmp_path, ONE, act, status=f"127.0.0.1:{status_port}")


def test_a_unix_socket(tmp_path: Path) -> None:
    http = "server {{ listen unix:{folder}/s; return 200 $remote_addr; }}"

    async def act(worker: Worker, port: int) -> None:
        assert (await get(0, unix=str(tmp_path / "s"))).content == b"unix:"

    run(tmp_path, http, act)
    assert not (tmp_path / "s").exists()


def test_tls(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    files = f"ssl_certificate {certificates.certificate_file};"
    files += f"ssl_certificate_key {certificates.key_file};"
    http = "server {{ listen 127.0.0.1:{port} ssl; " + files + " return 200 $scheme; }}"

    async def act(worker: Worker, port: int) -> None:
        assert (await get(port, is_tls=True)).content == b"https"

    run(tmp_path, http, act)


def test_tls_without_a_certificate(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text(f"events {{}} http {{ server {{ listen 127.0.0.1:{free_port()} ssl; }} }}")
    with pytest.raises(ConfigError, match="ssl_certificate"):
        Service(ProxyOptions(conf=str(path)), load_file(str(path))).open()


@pytest.mark.parametrize("is_answered", [True, False])
def test_a_tunnel_gets_a_close_at_the_shutdown_timeout(tmp_path: Path, is_answered: bool) -> None:
    """1001 to the client; one that does not end then is cut a little later."""

    async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        key = head.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r")[0].decode()
        writer.write(
            b"HTTP/1.1 101 Go\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
            b"Sec-WebSocket-Accept: " + compute_accept(key).encode() + b"\r\n\r\n"
        )
        await reader.read()
        writer.close()

    backend_port = free_port()
    http = "server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:"
    http += f"{backend_port};"
    http += "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade; }} }}"

    async def act(worker: Worker, port: int) -> None:
        async with await asyncio.start_server(switch, "127.0.0.1", backend_port):
            stream = await dial("127.0.0.1", port, timeout_s=10)
            stream.write(
                b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            assert b" 101 " in await stream.read(timeout_s=10)
            worker.stop(is_graceful=True)
            assert await stream.read(timeout_s=10) == b"\x88\x02\x03\xe9"
            if is_answered:
                stream.write_eof()
            with contextlib.suppress(StreamError):
                assert await stream.read(timeout_s=10) == b""
            stream.close()
            await stream.wait_closed()

    run(tmp_path, http, act, directives="worker_shutdown_timeout 100ms;")
