"""Files: those that are refused, and those that change while they are sent."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kit.proxy_site import LISTENING, Visit, cycle_of, get, read_to_end


def ask(folder: Path, target: str, directives: str = "") -> tuple[int, str]:
    """Return the status and the Location that a request gets."""
    (folder / "html" / "dir").mkdir(parents=True)
    (folder / "html" / "page").write_text("page")

    async def run() -> tuple[int, str]:
        with cycle_of(LISTENING.format(directives=directives), folder) as cycle:
            got = await get(cycle, target)
            return got.status, got.fields.get("location", "")

    return asyncio.run(run())


def test_a_folder_lacks_its_slash(tmp_path: Path) -> None:
    assert ask(tmp_path, "/dir?a=b") == (301, "http://h/dir/?a=b")


def test_a_name_with_a_nul(tmp_path: Path) -> None:
    assert ask(tmp_path, "/page", "root $binary_remote_addr;")[0] == 404


@pytest.mark.parametrize(
    ("number", "status"), [(13, 403), (40, 403), (1, 403), (24, 500), (2, 404), (36, 404)]
)
def test_files_that_cannot_be_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def refuse(path: bytes) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr("upwire.proxy.modules.static.open_file", refuse)
    assert ask(tmp_path, "/page", "log_not_found off;")[0] == status
    assert (f"({number}: " in read_log(tmp_path)) == (status != 404)


def read_log(folder: Path) -> str:
    path = folder / "error.log"
    return path.read_text() if path.exists() else ""


@pytest.mark.parametrize(("error", "words"), [(None, "was truncated to 4"), (5, "pread() failed")])
def test_a_file_that_changes_while_it_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int | None, words: str
) -> None:
    def read(_: int, octets: int, at: int) -> bytes:
        if at and error is not None:
            raise OSError(error, os.strerror(error))
        return b"" if at else b"page"

    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "page").write_text("page and more")

    async def run() -> bytes:
        with cycle_of(LISTENING.format(directives=""), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(b"GET /page HTTP/1.1\r\nHost: h\r\n\r\n")
            serving = asyncio.create_task(one.serve())
            received = await read_to_end(one.client)
            one.client.close()
            await serving
            return received

    monkeypatch.setattr("upwire.proxy.modules.static.os.pread", read)
    assert asyncio.run(run()).endswith(b"\r\n\r\npage")
    assert words in read_log(tmp_path)


def test_the_octets_of_a_name_are_kept(tmp_path: Path) -> None:
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "caf\u00e9").write_text("page")

    async def run() -> bytes:
        with cycle_of(LISTENING.format(directives=""), tmp_path) as cycle:
            return (await get(cycle, "/caf%C3%A9")).content

    assert asyncio.run(run()) == b"page"
