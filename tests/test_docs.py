"""What the README and the guide show runs as it is written."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

import upwire
from kit.nginx import environment
from upwire.asgi.loading import load
from upwire.conf.model import build
from upwire.conf.syntax import parse
from upwire.server import WebSocketHandler

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
RUN_TIMEOUT_S = 30


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.M | re.S)


def named(page: Path, name: str) -> str:
    """Return the one block that begins with a comment of this name."""
    (block,) = (
        block
        for language in ("python", "nginx")
        for block in blocks(page, language)
        if block.startswith(f"# {name}\n")
    )
    return block


def links(page: Path) -> Iterator[Path]:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text("utf-8")):
        yield page.parent / target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert [link for link in links(page) if not link.exists()] == []


def test_the_tables_of_directives_are_those_of_the_code() -> None:
    command = [sys.executable, "docs/directives.py", "--check"]
    ran = subprocess.run(command, cwd=ROOT, env=environment(), check=False, capture_output=True)
    assert (ran.returncode, ran.stderr) == (0, b""), "make docs"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_python_compiles(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block, str(page), "exec")


def test_the_readme_s_client_talks_to_its_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "readme_app.py").write_text(named(ROOT / "README.md", "app.py"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "readme_app", raising=False)

    async def run() -> bytes:
        handler = cast("WebSocketHandler", load("readme_app:handler"))
        async with upwire.serve(handler, port=0) as server:
            client = named(ROOT / "README.md", "client.py").replace(":8080", f":{server.port}")
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", client, stdout=asyncio.subprocess.PIPE
            )
            async with asyncio.timeout(RUN_TIMEOUT_S):
                return (await process.communicate())[0]

    assert asyncio.run(run()) == b"hello\n"


def test_the_readme_s_configuration_loads() -> None:
    config = build(parse(named(ROOT / "README.md", "nginx.conf"), "nginx.conf"))
    assert config.accepted == ()
    (server,) = config.servers
    assert [location.pattern for location in server.locations] == ["/"]
