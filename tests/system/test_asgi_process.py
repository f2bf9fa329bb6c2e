"""`upwire serve` with ASGI applications, as processes: workers, reloads, and an end within time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from pathlib import Path

import pytest

import upwire
from kit.serving import serving
from upwire.client.connecting import Connecting
from upwire.errors import ConnectionClosed

SOURCE = """
import asyncio, os, time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("stopped", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
    elif scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"%d NAME" % os.getpid()})
    else:
        await receive()
        await send({"type": "websocket.accept"})
        await receive()
        if scope["path"] == "/blocks":
            await send({"type": "websocket.send", "text": "now"})
            await asyncio.sleep(0)
            time.sleep(60)
        while scope["path"] == "/ignores":
            try:
                await send({"type": "websocket.send", "text": "now"})
                await asyncio.sleep(60)
            except (asyncio.CancelledError, OSError):
                pass

def make():
    return app

def fails():
    raise ValueError("no application today")
"""

LOG = """
version: 1
disable_existing_loggers: false
handlers:
  file: {class: logging.FileHandler, filename: access.log}
loggers:
  upwire.access: {handlers: [file], level: INFO}
"""


SOCKET = ("--uds", "socket")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SOURCE)
    return tmp_path


async def line_with(process: asyncio.subprocess.Process, text: str) -> str:
    """Return the next line on stderr that has the text."""
    assert process.stderr is not None
    while line := (await process.stderr.readline()).decode():
        if text in line:
            return line
    raise AssertionError(f"the process has ended without {text!r}")


async def fetch(folder: Path, name: str = "socket") -> str:
    reader, writer = await asyncio.open_unix_connection(str(folder / name))
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode().partition("\r\n\r\n")[2]


async def served(folder: Path, text: str) -> None:
    """Wait until the application answers with the text; the one before it may do so once more."""
    answer = ""
    while not answer.endswith(text):
        with contextlib.suppress(OSError):  # a connection that comes while a worker stops
            answer = await fetch(folder)


def connect(folder: Path, path: str) -> Connecting:
    return upwire.connect(f"ws://localhost{path}", unix=str(folder / "socket"))


def test_a_whole_run_ends_in_order(folder: Path) -> None:
    async def main() -> None:
        async with serving(folder, "app:make", "--factory", *SOCKET) as process:
            await line_with(process, "listening on")
            assert (folder / "socket").stat().st_mode & 0o777 == 0o666
            async with connect(folder, "/") as ws:
                process.send_signal(signal.SIGTERM)
                with pytest.raises(ConnectionClosed) as closed:
                    await ws.recv()
                assert closed.value.code == 1012
            output, _ = await process.communicate()
            assert (process.returncode, output) == (0, b"stopped\n")

    asyncio.run(main())


@pytest.mark.parametrize("path", ["/blocks", "/ignores"])
def test_the_process_ends_within_its_deadline(folder: Path, path: str) -> None:
    async def main() -> None:
        async with serving(
            folder, "app:app", "--timeout-graceful-shutdown", "1", *SOCKET
        ) as process:
            await line_with(process, "listening on")
            ws = await connect(folder, path)
            await ws.send("go")
            assert await ws.recv() == "now"
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, errors = await process.communicate()
            assert time.monotonic() - began_s < 5
            assert process.returncode == 1
            assert b"the application does not end; the process is ended at " in errors
            await ws.close()

    asyncio.run(main())


def test_a_worker_that_dies_is_replaced(folder: Path) -> None:
    async def main() -> None:
        async with serving(folder, "app:app", "--workers", "2", *SOCKET) as process:
            await line_with(process, "listening on")
            assert (folder / "socket").stat().st_mode & 0o777 == 0o666
            first = int((await fetch(folder)).split()[0])
            assert first != process.pid
            os.kill(first, signal.SIGKILL)
            assert str(first) in await line_with(process, "has ended by signal 9")
            assert int((await fetch(folder)).split()[0]) != first
            process.send_signal(signal.SIGTERM)
            output, _ = await process.communicate()
            assert process.returncode == 0
            assert b"stopped" in output
            assert not (folder / "socket").exists()

    asyncio.run(main())


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_inherited_socket(folder: Path, workers: str) -> None:
    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(folder / "theirs"))
            listener.listen()
            fd = listener.fileno()
            arguments = ("app:app", "--workers", workers, "--fd", str(fd))
            async with serving(folder, *arguments, descriptors=[fd]) as process:
                assert (await fetch(folder, "theirs")).endswith("NAME")
                process.send_signal(signal.SIGTERM)
                assert await process.wait() == 0
            assert (folder / "theirs").exists()  # it is not ours to remove

    asyncio.run(main())


def test_the_log_goes_where_its_file_says(folder: Path) -> None:
    (folder / "log.yaml").write_text(LOG)

    async def main() -> None:
        async with serving(folder, "app:app", "--log-config", "log.yaml", *SOCKET) as process:
            await line_with(process, "listening on")
            await fetch(folder)
            process.send_signal(signal.SIGTERM)
            await process.communicate()
        assert '"GET / HTTP/1.1" 200' in (folder / "access.log").read_text()

    asyncio.run(main())


def test_a_changed_file_is_served(folder: Path) -> None:
    async def main() -> None:
        async with serving(folder, "app:app", "--reload", *SOCKET) as process:
            await line_with(process, "listening on")
            assert (await fetch(folder)).endswith("NAME")
            (folder / "app.py").write_text(SOURCE.replace("NAME", "CHANGED"))
            await line_with(process, "app.py changed")
            await served(folder, "CHANGED")
            (folder / "app.py").write_text("broken(")
            await line_with(process, "cannot import app: SyntaxError")
            (folder / "app.py").write_text(SOURCE.replace("NAME", "MENDED"))
            await served(folder, "MENDED")
            process.send_signal(signal.SIGINT)
            assert await process.wait() == 0

    asyncio.run(main())


@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_an_application_that_cannot_start_is_one_line(folder: Path, more: tuple[str, ...]) -> None:
    async def main() -> None:
        async with serving(folder, "app:fails", "--factory", *more, *SOCKET) as process:
            _, errors = await process.communicate()
            assert process.returncode == 1
            assert b"app:fails makes no application: ValueError: no application today" in errors
            assert b"Traceback" not in errors

    asyncio.run(main())
