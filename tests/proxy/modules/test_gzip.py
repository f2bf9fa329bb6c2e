"""gzip, gunzip and gzip_static."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import LISTENING, Visit, cycle_of, get, make_request, read_to_end
from upwire.proxy.modules.gzip import accepts_gzip, takes_gzip
from upwire.wire.fields import Headers

TEXT = b"some text that is long enough, and text again\n" * 50


def ask(folder: Path, conf: str, *fields: str, target: str = "/a.html") -> Answer:
    (folder / "html").mkdir(exist_ok=True)
    (folder / "html" / "a.html").write_bytes(TEXT)
    (folder / "html" / "short.html").write_bytes(b"short")
    (folder / "html" / "a.html.gz").write_bytes(gzip.compress(TEXT))

    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives=conf), folder) as cycle:
            return await get(cycle, target, *fields)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("value", "is_accepted"),
    [
        ("gzip", True),
        ("deflate, gzip", True),
        ("GZIP;q=0.5", True),
        ("gzip; q=1.000, br", True),
        ("gzip;q=0.001", True),
        ("gzip;q=0", False),
        ("gzip; q = 0.000", False),
        ("gzip;q=2", False),
        ("xgzip", False),
        ("gzipx", False),
        ("*", False),
        ("", False),
    ],
)
def test_who_accepts_it(value: str, is_accepted: bool) -> None:
    assert accepts_gzip(value) == is_accepted


def test_a_coded_content(tmp_path: Path) -> None:
    answer = ask(tmp_path, "gzip on; gzip_vary on;", "Accept-Encoding: gzip")
    assert gzip.decompress(answer.content) == TEXT
    assert answer.fields["content-encoding"] == "gzip"
    assert answer.fields["vary"] == "Accept-Encoding"
    assert answer.fields["etag"].startswith("W/")
    assert "accept-ranges" not in answer.fields


@pytest.mark.parametrize(
    ("conf", "fields", "target"),
    [
        ("gzip on;", [], "/a.html"),
        ("gzip off;", ["Accept-Encoding: gzip"], "/a.html"),
        ("gzip on;", ["Accept-Encoding: gzip"], "/short.html"),
        ("gzip on; types { text/x html; }", ["Accept-Encoding: gzip"], "/a.html"),
        ("gzip on;", ["Accept-Encoding: gzip", "Via: 1.1 x"], "/a.html"),
        (
            "gzip on; gzip_disable msie6;",
            ["Accept-Encoding: gzip", "User-Agent: Mozilla/4.0 (compatible; MSIE 6.0)"],
            "/a.html",
        ),
        ("gzip on; gzip_disable ^x;", ["Accept-Encoding: gzip", "User-Agent: X"], "/a.html"),
    ],
)
def test_contents_that_stay(conf: str, fields: list[str], target: str, tmp_path: Path) -> None:
    answer = ask(tmp_path, conf, *fields, target=target)
    assert "content-encoding" not in answer.fields
    assert answer.content in (TEXT, b"short")


@pytest.mark.parametrize(
    ("words", "request_fields", "answer", "is_taken"),
    [
        ("any", {}, {}, True),
        ("off", {}, {}, False),
        ("auth", {"Authorization": "x"}, {}, True),
        ("auth", {}, {}, False),
        ("expired", {}, {"Expires": "Thu, 01 Jan 1970 00:00:01 GMT"}, True),
        ("expired", {}, {"Expires": "Thu, 01 Jan 2099 00:00:01 GMT"}, False),
        ("expired", {}, {"Expires": "never"}, False),
        ("no-cache", {}, {"Expires": "Thu, 01 Jan 1970 00:00:01 GMT"}, False),
        ("no-cache", {}, {"Cache-Control": "x, no-cache"}, True),
        ("no-store", {}, {"Cache-Control": "no-cache"}, False),
        ("private", {}, {"Cache-Control": 'private="x"'}, True),
        ("no_last_modified", {}, {}, True),
        ("no_last_modified", {}, {"Last-Modified": "x"}, False),
        ("no_etag", {}, {"Last-Modified": "x"}, True),
        ("no_etag", {}, {"ETag": '"x"'}, False),
    ],
)
def test_what_comes_through_a_proxy(
    words: str,
    request_fields: dict[str, str],
    answer: dict[str, str],
    is_taken: bool,
    tmp_path: Path,
) -> None:
    async def run() -> None:
        with cycle_of(LISTENING.format(directives=f"gzip_proxied {words};"), tmp_path) as cycle:
            fields = {"Accept-Encoding": "gzip", "Via": "x", **request_fields}
            assert takes_gzip(make_request(cycle, "/", fields), Headers(answer)) == is_taken

    asyncio.run(run())


def test_a_file_that_was_gzipped_beforehand(tmp_path: Path) -> None:
    coded = ask(tmp_path, "gzip_static on;", "Accept-Encoding: gzip")
    assert (coded.fields["content-encoding"], gzip.decompress(coded.content)) == ("gzip", TEXT)
    assert coded.fields["content-type"] == "text/html"
    assert ask(tmp_path, "gzip_static on;").content == TEXT
    assert "content-encoding" in ask(tmp_path, "gzip_static always;").fields
    accepting = "Accept-Encoding: gzip"
    assert ask(tmp_path, "gzip_static on;", accepting, target="/short.html").content == b"short"


def test_gunzip_for_who_does_not_accept_gzip(tmp_path: Path) -> None:
    conf = "gzip_static always; gunzip on;"
    plain = ask(tmp_path, conf)
    assert plain.content == TEXT
    assert "content-encoding" not in plain.fields
    assert "content-encoding" in ask(tmp_path, conf, "Accept-Encoding: gzip").fields


@pytest.mark.parametrize("broken", [b"no gzip", gzip.compress(TEXT)[:-9]], ids=["none", "short"])
def test_a_broken_content_is_cut(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "html").mkdir()
    (tmp_path / "html" / "b.gz").write_bytes(broken)

    async def run() -> bytes:
        conf = "gzip_static always; gunzip on;"
        with cycle_of(LISTENING.format(directives=conf), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n")
            serving = asyncio.create_task(one.serve())
            received = await read_to_end(one.client)
            one.client.close()
            await serving
            return received

    received = asyncio.run(run())
    assert not received.endswith(b"0\r\n\r\n")
    assert "inflate() failed" in (tmp_path / "error.log").read_text()
