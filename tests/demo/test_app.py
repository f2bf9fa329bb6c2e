from __future__ import annotations

import asyncio
import http.client
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from upwire.client import connect
from upwire.demo.app import PAGES, build_routes, compose, home_of_chat
from upwire.demo.journal import JournalHome
from upwire.demo.setting import CONFIG_FILE, Setting
from upwire.errors import HandshakeRefused
from upwire.rooms.redis_home import RedisHome
from upwire.server import serve

ASSETS = sorted((PAGES / "assets").iterdir())


def ask(port: int, path: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def get(path: str, setting: Setting | None = None) -> tuple[int, dict[str, str], str]:
    """Ask a server of the demo for a path; return status, fields and content."""

    async def main() -> tuple[int, dict[str, str], str]:
        async with serve(build_routes(setting or Setting()), port=0) as server:
            return await asyncio.to_thread(ask, server.port, path)

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("path", "title"),
    [("/", "The path"), ("/chat", "Chat"), ("/dashboard", "Dashboard"), ("/stream", "Stream")],
)
def test_a_page_is_whole_and_loads_nothing_from_elsewhere(path: str, title: str) -> None:
    status, fields, page = get(path)

    assert status == 200
    assert fields["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in fields["Content-Security-Policy"]
    assert f"<title>{title} · Upwire</title>" in page
    assert "$" not in page
    assert page.count("aria-current") == (0 if path == "/" else 1)


@pytest.mark.parametrize("path", ["/", "/chat", "/dashboard", "/stream"])
def test_what_a_page_asks_for_is_there(path: str) -> None:
    page = compose(path, "Title")
    assets = re.findall(r'(?:src|href)="/assets/([^"]+)"', page)

    assert len(assets) >= 3
    assert all((PAGES / "assets" / name).is_file() for name in assets)


@pytest.mark.parametrize("script", [path for path in ASSETS if path.suffix == ".js"], ids=str)
def test_a_script_imports_only_our_own(script: Path) -> None:
    text = script.read_text()

    for name in re.findall(r'from "([^"]+)"', text):
        assert name == "/upwire.js" or (script.parent / name).is_file()
    assert "innerHTML" not in text
    assert not re.search(r"https?://", text)


def test_assets_are_served() -> None:
    status, fields, text = get("/assets/status.js")

    assert status == 200
    assert fields["Content-Type"].startswith("text/javascript")
    assert "export function showStatus" in text


def test_the_client_of_rooms_is_served() -> None:
    status, fields, text = get("/upwire.js")

    assert status == 200
    assert fields["Content-Type"].startswith("text/javascript")
    assert "as Client" in text


def test_the_path_is_told_as_it_is_in_this_run() -> None:
    setting = Setting(proxy="nginx", proxy_address="127.0.0.1:9000")
    told = json.loads(get("/path.json", setting)[2])

    assert told["proxy"] == "nginx"
    assert told["proxyAddress"] == "127.0.0.1:9000"
    assert told["config"] == CONFIG_FILE.read_text()


def test_each_websocket_tells_its_handshake() -> None:
    async def main() -> None:
        async with serve(build_routes(Setting()), port=0) as server:
            for path in ("/ws/chat", "/ws/dashboard", "/ws/stream"):
                async with connect(f"ws://127.0.0.1:{server.port}{path}") as ws:
                    await ws.send('{"id": 1, "method": "connect", "version": 1}')
                    told: dict[str, Any] = json.loads(await ws.recv())
                    request = told["result"]["welcome"]["request"]
                    assert request["start"] == f"GET {path} HTTP/1.1"

    asyncio.run(main())


def test_pages_of_other_sites_are_refused() -> None:
    setting = Setting(origins=("http://127.0.0.1:8000",))

    async def main() -> None:
        async with serve(build_routes(setting), port=0) as server:
            url = f"ws://127.0.0.1:{server.port}/ws/dashboard"
            async with connect(url, origin="http://127.0.0.1:8000"), connect(url):
                pass
            with pytest.raises(HandshakeRefused) as caught:
                await connect(url, origin="https://elsewhere.example")
            assert caught.value.status == 403

    asyncio.run(main())


@pytest.mark.parametrize(
    ("setting", "home"),
    [
        (Setting(), type(None)),
        (Setting(journal="chat.journal"), JournalHome),
        (Setting(redis="redis://127.0.0.1:6379", journal="chat.journal"), RedisHome),
    ],
)
def test_the_chat_lives_where_the_setting_says(setting: Setting, home: type) -> None:
    assert type(home_of_chat(setting)) is home


def test_without_the_redis_package_it_runs_all_the_same() -> None:
    code = "import sys; sys.modules['redis'] = None; import upwire.demo.app"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
