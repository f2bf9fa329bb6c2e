"""Directories without an index file."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import cycle_of, get

SITE = """
    charset_types application/json text/xml;
    server {
        listen 127.0.0.1:80;
        root files;
        autoindex on;
        location /off/ { autoindex off; }
        location /utf8/ { charset utf-8; alias files/; }
        location /json/ { autoindex_format json; alias files/; }
        location /jsonp/ { autoindex_format JSONP; alias files/; }
        location /xml/ { autoindex_format xml; alias files/; }
    }
"""
NAME = "ф" * 51


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    for name in ("sub", "off", "indexed"):
        (folder / name).mkdir(parents=True)
    (folder / "indexed" / "index.html").write_text("index")
    (folder / "file").write_text("content")
    (folder / ".hidden").write_text("")
    (folder / NAME).write_text("")
    (folder / "dangling").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    return folder


def ask(folder: Path, target: str, method: str = "GET") -> Answer:
    with cycle_of(SITE, folder) as cycle:
        return asyncio.run(get(cycle, target, method=method))


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/", "GET", 200),
        ("/", "HEAD", 200),
        ("/", "POST", 403),
        ("/sub/", "GET", 200),
        ("/indexed/", "GET", 200),
        ("/off/", "GET", 403),
        ("/none/", "GET", 404),
        ("/file", "GET", 200),
        ("/jsonp/?callback=a-b", "GET", 400),
        (f"/jsonp/?callback={'a' * 129}", "GET", 400),
    ],
)
def test_statuses(target: str, method: str, status: int, tmp_path: Path) -> None:
    assert ask(tmp_path, target, method).status == status


@pytest.mark.usefixtures("files")
def test_a_page(tmp_path: Path) -> None:
    answer = ask(tmp_path, "/")
    assert answer.fields["content-type"] == "text/html"
    for part in ('<a href="sub/">sub/</a>', '"file">', '"dangling">', '"pipe">', "Index of /<"):
        assert part.encode() in answer.content
    assert b"hidden" not in answer.content
    assert ask(tmp_path, "/indexed/").content == b"index"


@pytest.mark.usefixtures("files")
def test_names_are_cut_as_the_charset_has_it(tmp_path: Path) -> None:
    assert ("ф" * 47 + "..&gt;").encode() in ask(tmp_path, "/utf8/").content
    assert ("ф" * 23).encode() + b"\xd1..&gt;" in ask(tmp_path, "/").content


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("target", "kind", "start"),
    [
        ("/json/", "application/json", b'[\r\n{ "name":"indexed", "type":"directory"'),
        ("/jsonp/", "application/json", b"["),
        ("/jsonp/?callback=f", "application/javascript", b"/* callback */\r\nf(["),
        ("/xml/", "text/xml; charset=utf-8", b"<?xml"),
    ],
)
def test_formats(target: str, kind: str, start: bytes, tmp_path: Path) -> None:
    answer = ask(tmp_path, target)
    assert answer.fields["content-type"] == kind
    assert answer.content.startswith(start)


def test_what_cannot_be_read(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stat, listdir = os.stat, os.listdir

    def refuse(path: bytes) -> os.stat_result:
        if isinstance(path, bytes) and path.endswith(b"/file"):
            raise PermissionError(13, "Permission denied")
        return stat(path)

    def refuse_sub(path: bytes) -> list[bytes]:
        if path.endswith(b"sub/"):
            raise PermissionError(13, "Permission denied")
        return listdir(path)

    monkeypatch.setattr(os, "stat", refuse)
    monkeypatch.setattr(os, "listdir", refuse_sub)
    assert b'"file"' not in ask(tmp_path, "/").content
    assert ask(tmp_path, "/sub/").status == 403
    log = (tmp_path / "error.log").read_text()
    assert f'stat() "{files}/file" failed (13: Permission denied)' in log
    assert f'opendir() "{files}/sub/" failed (13: Permission denied)' in log
