"""`upwire serve --proxy`: an application behind its nginx.conf, as one program."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

import upwire
from kit.serving import RUN_TIMEOUT_S, serving
from upwire.errors import ConnectionClosed

BEHIND = ("app:app", "--proxy", "nginx.conf")
SOURCE = """
async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
    elif scope["type"] == "http":
        body = f"{scope['client']} {scope['scheme']}".encode()
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": body})
"""
CONF = """
pid proxy.pid;
error_log error.log;
events {}
http {
    access_log off;
    server {
        listen unix:front;
        location / {
            proxy_pass http://unix:back;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection upgrade;
            proxy_set_header Host localhost;
            proxy_set_header X-Forwarded-For 192.0.2.1;
            proxy_set_header X-Forwarded-Proto https;
        }
    }
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(SOURCE)
    write_conf(tmp_path, CONF)
    return tmp_path


def write_conf(folder: Path, text: str) -> None:
    """Write a configuration whose sockets are in its folder, which no other user can enter."""
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + text.replace("unix:", f"unix:{folder}/"))


async def fetch(folder: Path) -> tuple[str, str]:
    """Return head and content of an answer through the proxy, once there is one."""
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(str(folder / "front"))
        except OSError:
            await asyncio.sleep(0.02)
            continue
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = (await reader.read()).decode()
        writer.close()
        await writer.wait_closed()
        head, _, content = answer.partition("\r\n\r\n")
        if head.startswith("HTTP/1.1 200"):
            return head, content


def proxy_of(process: asyncio.subprocess.Process) -> psutil.Process:
    """Return the proxy's first process."""
    (found,) = (
        child for child in psutil.Process(process.pid).children() if "proxy" in child.cmdline()
    )
    return found


@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_both_in_one_program(folder: Path, more: tuple[str, ...]) -> None:
    async def main() -> None:
        async with serving(folder, *BEHIND, *more) as process:
            assert (await fetch(folder))[1] == "('192.0.2.1', 0) https"
            processes = psutil.Process(process.pid).children(recursive=True)
            front = str(folder / "front")
            async with upwire.connect("ws://localhost/", unix=front) as ws:
                await ws.send("hey")
                assert await ws.recv() == "hey"
                process.send_signal(signal.SIGTERM)
                with pytest.raises(ConnectionClosed) as closed:
                    await ws.recv()
                assert closed.value.code == 1012
            assert await process.wait() == 0
            assert not any(one.is_running() for one in processes)
            assert not (folder / "back").exists()

    asyncio.run(main())


@pytest.mark.parametrize("more", [(), ("--workers", "2")])
def test_a_hang_up_lets_the_proxy_read_its_file_anew(folder: Path, more: tuple[str, ...]) -> None:
    async def main() -> None:
        async with serving(folder, *BEHIND, *more) as process:
            head, _ = await fetch(folder)
            assert "X-New" not in head
            write_conf(folder, CONF.replace("location /", "add_header X-New yes; location /"))
            process.send_signal(signal.SIGHUP)
            while "X-New: yes" not in head:
                head, _ = await fetch(folder)
            process.send_signal(signal.SIGTERM)
            assert await process.wait() == 0

    asyncio.run(main())


def test_where_the_proxy_ends_the_program_does(folder: Path) -> None:
    async def main() -> None:
        async with serving(folder, *BEHIND) as process:
            await fetch(folder)
            proxy_of(process).kill()
            _, errors = await process.communicate()
            assert process.returncode == 1
            assert errors.decode().splitlines()[-1] == (
                "upwire serve: the proxy has ended with status -9"
            )

    asyncio.run(main())


@pytest.mark.parametrize(
    ("conf", "complaint"),
    [
        (CONF.replace("access_log", "acces_log"), 'unknown directive "acces_log"'),
        (f"daemon on; {CONF}", '"daemon on;"'),
        (CONF.replace("listen unix:front", "listen unix:missing/front"), "missing/front"),
    ],
)
def test_a_proxy_that_cannot_start_is_told(folder: Path, conf: str, complaint: str) -> None:
    write_conf(folder, conf)

    async def main() -> None:
        async with serving(folder, *BEHIND) as process:
            _, errors = await process.communicate()
            assert process.returncode == 1
            assert complaint in errors.decode()
            assert "Traceback" not in errors.decode()

    asyncio.run(main())


def test_a_proxy_that_ends_while_the_application_is_imported(folder: Path) -> None:
    write_conf(folder, CONF.replace("listen unix:front", "listen unix:missing/front"))
    (folder / "app.py").write_text(f"import time\ntime.sleep({RUN_TIMEOUT_S})")

    async def main() -> None:
        async with serving(folder, *BEHIND) as process:
            _, errors = await process.communicate()
            assert process.returncode == 1
            assert errors.decode().endswith("the proxy has ended with status 1\n")

    asyncio.run(main())


def test_an_application_that_cannot_start_leaves_no_proxy(folder: Path) -> None:
    (folder / "app.py").write_text("1 / 0")

    async def main() -> None:
        async with serving(folder, *BEHIND) as process:
            _, errors = await process.communicate()
            assert process.returncode == 1
            assert b"cannot import app: ZeroDivisionError" in errors
            assert b"Traceback" not in errors
            assert not (folder / "front").exists()

    asyncio.run(main())
