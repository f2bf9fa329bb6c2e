"""Which of several files is taken."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import LISTENING, cycle_of, get


def ask(folder: Path, directives: str, target: str) -> Answer:
    www = folder / "html"
    (www / "dir").mkdir(parents=True, exist_ok=True)
    for name in ("page", "dir/page", "dir/index.html"):
        (www / name).write_text(name)

    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives=directives), folder) as cycle:
            return await get(cycle, target)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("arguments", "target", "status", "content"),
    [
        ("$uri =404", "/page", 200, b"page"),
        ("$uri =404", "/none", 404, None),
        ("$uri =404", "/page/x", 404, None),
        ("$uri =404", "/" + "x" * 300, 404, None),
        ("$uri =404", "/dir", 404, None),
        ("$uri/ =404", "/dir", 301, None),
        ("$uri/ $uri =404", "/dir/", 200, b"dir/index.html"),
        ("/none /dir/page =404", "/x", 200, b"dir/page"),
        ("$uri /page", "/none", 200, b"page"),
        ("$uri /a?$args&x", "/none?q", 200, b"/a q&x"),
        ("$uri @named", "/none", 200, b"named"),
        ("$uri @other", "/none", 500, None),
    ],
)
def test_files(
    tmp_path: Path, arguments: str, target: str, status: int, content: bytes | None
) -> None:
    directives = f"""
        location / {{ try_files {arguments}; }}
        location = /page {{ }}
        location = /a {{ return 200 "$uri $args"; }}
        location @named {{ return 200 named; }}
    """
    got = ask(tmp_path, directives, target)
    assert got.status == status
    assert content is None or got.content == content


@pytest.mark.parametrize(
    ("location", "target", "status"),
    [
        ("location /a/ { alias html/; try_files $uri =404; }", "/a/page", 200),
        ("location /a/ { alias html/; try_files dir/page =404; }", "/a/x", 200),
        ("location /a/ { alias html/; try_files $uri/ =404; }", "/a/dir", 301),
        ("location ~ ^/page { alias html; try_files $uri =404; }", "/page", 200),
        ("location ~ ^/page { alias html; try_files $uri =404; }", "/page2", 404),
        ("location ~ ^/d { alias html/dir; try_files 'page/' '/' =404; }", "/d", 301),
        ("location /a/ { alias html/; location ~ e$ { try_files $uri =404; } }", "/a/page", 200),
    ],
)
def test_aliases(tmp_path: Path, location: str, target: str, status: int) -> None:
    assert ask(tmp_path, location, target).status == status


def test_a_name_that_no_file_has(tmp_path: Path) -> None:
    directives = "rewrite ^ /$arg_a; location / { try_files $uri$http_x =404; }"
    assert ask(tmp_path, directives, "/x").status == 404


def test_a_folder_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: bytes) -> object:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("upwire.proxy.modules.try_files.os.stat", refuse)
    assert ask(tmp_path, "location / { try_files $uri =403; }", "/page").status == 403
    assert "[crit]" in (tmp_path / "error.log").read_text()
