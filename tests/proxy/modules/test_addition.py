"""Contents around a content."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import LISTENING, cycle_of, get


def ask(folder: Path, directives: str, target: str = "/page.html", content: str = "own") -> Answer:
    (folder / "html").mkdir()
    for name in ("page.html", "page.txt"):
        (folder / "html" / name).write_text(content)
    site = directives + "location /a { return 200 $request_uri-$uri; }"

    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives=site), folder) as cycle:
            return await get(cycle, target)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("directives", "content"),
    [
        ("add_before_body /a1;", b"/page.html-/a1own"),
        ("add_after_body /a2;", b"own/page.html-/a2"),
        ("add_before_body /a1; add_after_body /a2;", b"/page.html-/a1own/page.html-/a2"),
        ("location /page { add_before_body ''; } add_before_body /a1;", b"own"),
        ("", b"own"),
    ],
)
def test_around(tmp_path: Path, directives: str, content: bytes) -> None:
    got = ask(tmp_path, directives)
    assert got.content == content
    assert ("content-length" in got.fields) == (content == b"own")


def test_an_empty_content(tmp_path: Path) -> None:
    got = ask(tmp_path, "add_before_body /a1; add_after_body /a2;", content="")
    assert got.content == b"/page.html-/a1/page.html-/a2"


def test_types_and_statuses(tmp_path: Path) -> None:
    assert ask(tmp_path, "add_before_body /a;", "/page.txt").content == b"own"


def test_any_type(tmp_path: Path) -> None:
    directives = "add_before_body /a; addition_types *;"
    assert ask(tmp_path, directives, "/page.txt").content == b"/page.txt-/aown"


def test_pages_of_errors_are_left_alone(tmp_path: Path) -> None:
    assert b"/none-/a" not in ask(tmp_path, "add_before_body /a;", "/none").content
