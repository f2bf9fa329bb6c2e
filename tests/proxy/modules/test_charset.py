"""Contents in the charset that clients get."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import cycle_of, get

HTTP = """
    default_type a/b;
    charset_map B A {{ 58 59; }}
    charset_map koi utf-8 {{ C1 d0b0; }}
    server {{ listen 127.0.0.1:80; {} }}
"""


def ask(folder: Path, directives: str, content: bytes = b"X", target: str = "/page.html") -> Answer:
    (folder / "html").mkdir()
    for name in ("page.html", "page.bin", "in.html"):
        (folder / "html" / name).write_bytes(content)

    async def run() -> Answer:
        with cycle_of(HTTP.format(directives), folder) as cycle:
            return await get(cycle, target)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("directives", "charset", "content"),
    [
        ("", "", b"X"),
        ("charset A;", "A", b"X"),
        ("charset off;", "", b"X"),
        ("charset $arg_c;", "", b"X"),
        ("charset $arg_q;", "utf-8", b"X"),
        ("charset A; source_charset b;", "A", b"Y"),
        ("charset b; source_charset B;", "b", b"X"),
        ("charset A; source_charset $arg_q;", "", b"X"),
    ],
)
def test_charsets(tmp_path: Path, directives: str, charset: str, content: bytes) -> None:
    got = ask(tmp_path, directives, target="/page.html?q=utf-8")
    assert got.content == content
    assert got.fields["content-type"] == "text/html" + (f"; charset={charset}" if charset else "")
    no_way = "source_charset $arg_q" in directives
    log = tmp_path / "error.log"
    assert (log.exists() and 'no "charset_map" between' in log.read_text()) == no_way


def test_types(tmp_path: Path) -> None:
    assert ask(tmp_path, "charset A;", target="/page.bin").fields["content-type"] == "a/b"


def test_any_type(tmp_path: Path) -> None:
    got = ask(tmp_path, "charset A; charset_types *;", target="/page.bin")
    assert got.fields["content-type"] == "a/b; charset=A"


@pytest.mark.parametrize(
    ("types", "overriding", "content", "charset"),
    [("B", "on", b"Y", "A"), ("B", "off", b"X", "B"), ("A", "on", b"X", "A")],
)
def test_a_charset_that_the_response_brings(
    tmp_path: Path, types: str, overriding: str, content: bytes, charset: str
) -> None:
    directives = f"charset A; override_charset {overriding};"
    directives += f" types {{ }} default_type 'text/html; charset=\"{types}\"';"
    got = ask(tmp_path, directives)
    assert got.content == content
    assert charset in got.fields["content-type"]


def test_a_coded_content_is_left_alone(tmp_path: Path) -> None:
    directives = "charset A; source_charset B; add_header Content-Encoding br;"
    assert ask(tmp_path, directives).content == b"X"


@pytest.mark.parametrize(
    ("directives", "content", "expected"),
    [
        ("charset utf-8; source_charset koi;", b"a\xc1\xc2", b"a\xd0\xb0?"),
        ("charset koi; source_charset utf-8;", b"a\xd0\xb0", b"a\xc1"),
        ("charset koi; source_charset utf-8;", b"\xe2\x82\xac\xff", b"&#8364;?"),
        ("charset koi; source_charset utf-8;", b"a\xd0", b"a?"),
        ("charset koi; source_charset utf-8;", b"\xd0", b"?"),
    ],
)
def test_utf_8(tmp_path: Path, directives: str, content: bytes, expected: bytes) -> None:
    got = ask(tmp_path, directives, content)
    assert got.content == expected
    assert "content-length" not in got.fields


def test_inclusions_get_the_charset_of_the_page(tmp_path: Path) -> None:
    directives = """
        location / { ssi on; charset A; }
        location /in { ssi off; source_charset B; }
        location /page { ssi on; charset $arg_c; }
    """
    page = b'X<!--#include virtual="/in.html" -->'
    assert ask(tmp_path, directives, page, "/page.html?c=A").content.startswith(b"XY<!--#")


def test_inclusions_in_a_page_without_one(tmp_path: Path) -> None:
    directives = "location / { ssi on; } location /in { ssi off; source_charset B; }"
    page = b'X<!--#include virtual="/in.html" -->'
    assert ask(tmp_path, directives, page).content.startswith(b"XX<!--#")
