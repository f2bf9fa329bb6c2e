"""Files as answers."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import cast

import pytest

from upwire.net.http1 import HttpExchange
from upwire.server import Request, Response
from upwire.server.routes import split_path
from upwire.server.static import PIECE_OCTETS, StaticFolder, is_fresh, media_type
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead


class Exchange:
    """As much of an HttpExchange as a request without content looks at."""

    def __init__(self, head: RequestHead) -> None:
        self.head = head


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "index.html").write_text("<h1>root</h1>")
    (root / "sub" / "index.html").write_text("<h1>sub</h1>")
    (root / "app.js").write_text("let a;")
    (root / "empty").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (root / "leak").symlink_to(tmp_path / "secret.txt")
    (root / "loop").symlink_to(root / "loop")
    os.mkfifo(root / "pipe")
    return root


def ask(root: Path, target: str, *fields: tuple[str, str], method: str = "GET") -> Response:
    """Return the answer to a request for a target below a static folder at "/"."""
    head = RequestHead(method, target, (1, 1), Headers(fields))
    request = Request(cast("HttpExchange", Exchange(head)), max_body_octets=0)
    segments = split_path(head.path)
    assert segments is not None
    return asyncio.run(StaticFolder(root, cache_control="no-cache").answer(request, segments))


async def content(response: Response) -> bytes:
    if isinstance(response.body, bytes):
        return response.body
    return b"".join([piece async for piece in response.body])


def test_a_file_is_answered_with_what_a_client_needs_to_keep_it(folder: Path) -> None:
    response = ask(folder, "/app.js")
    assert (response.status, response.body) == (200, b"let a;")
    assert response.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["ETag"].startswith('"')
    assert response.headers["Last-Modified"].endswith("GMT")


@pytest.mark.parametrize(("target", "body"), [("/", b"<h1>root</h1>"), ("/sub/", b"<h1>sub</h1>")])
def test_a_folder_is_its_index(folder: Path, target: str, body: bytes) -> None:
    response = ask(folder, target)
    assert (response.status, response.body) == (200, body)
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("target", "location"), [("/sub", "./sub/"), ("/sub?a=b", "./sub/?a=b"), ("/%73ub", "./%73ub/")]
)
def test_a_folder_without_its_slash_is_redirected(folder: Path, target: str, location: str) -> None:
    response = ask(folder, target)
    assert (response.status, response.headers["Location"]) == (301, location)


@pytest.mark.parametrize(
    "target",
    [
        "/absent",
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/sub/../../secret.txt",
        "/..%5csecret.txt",
        "/leak",
        "/loop",
        "/pipe",
        "/empty/",
        "/app.js/",
        "/app.js/x",
        "//app.js",
        "/./app.js",
        "/app.js%00",
        "/" + "a" * 300,
    ],
)
def test_what_is_outside_or_no_file_is_not_found(folder: Path, target: str) -> None:
    assert ask(folder, target).status == 404


def test_a_copy_that_is_still_right_is_not_sent_again(folder: Path) -> None:
    first = ask(folder, "/app.js")
    etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
    for field in (("If-None-Match", etag), ("If-Modified-Since", modified)):
        response = ask(folder, "/app.js", field)
        assert (response.status, response.body) == (304, b"")
        assert response.headers["ETag"] == etag
        assert "Content-Type" not in response.headers
    (folder / "app.js").write_text("let b, c;")
    assert ask(folder, "/app.js", ("If-None-Match", etag)).body == b"let b, c;"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([], False),
        ([("If-None-Match", '"a"')], True),
        ([("If-None-Match", 'W/"a"')], True),
        ([("If-None-Match", '"x", "a"')], True),
        ([("If-None-Match", "*")], True),
        ([("If-None-Match", '"x"'), ("If-None-Match", '"a"')], True),
        ([("If-None-Match", '"x"')], False),
        ([("If-Modified-Since", "Thu, 01 Jan 1970 00:16:40 GMT")], True),
        ([("If-Modified-Since", "Thu, 01 Jan 1970 00:16:39 GMT")], False),
        ([("If-Modified-Since", "yesterday")], False),
        ([("If-None-Match", '"x"'), ("If-Modified-Since", "Thu, 01 Jan 2026 00:00:00 GMT")], False),
    ],
)
def test_conditions(fields: list[tuple[str, str]], expected: bool) -> None:
    assert is_fresh(Headers(fields), '"a"', 1000.9) is expected


def test_a_large_file_is_read_in_pieces(folder: Path) -> None:
    octets = os.urandom(2 * PIECE_OCTETS + 7)
    (folder / "large.bin").write_bytes(octets)
    response = ask(folder, "/large.bin")
    assert not isinstance(response.body, bytes)
    assert response.headers["Content-Length"] == str(len(octets))
    with (folder / "large.bin").open("ab") as file:
        file.write(b"that came later")
    assert asyncio.run(content(response)) == octets


def test_a_large_file_that_shrinks_ends_early(folder: Path) -> None:
    (folder / "large.bin").write_bytes(bytes(2 * PIECE_OCTETS))
    response = ask(folder, "/large.bin")
    (folder / "large.bin").write_bytes(b"short")
    assert asyncio.run(content(response)) == b"short"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.mjs", "text/javascript; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.json", "application/json"),
        ("a.woff2", "font/woff2"),
        ("a.tar.gz", "application/octet-stream"),
        ("a.unknown", "application/octet-stream"),
        ("README", "application/octet-stream"),
    ],
)
def test_media_types(name: str, expected: str) -> None:
    assert media_type(name) == expected
