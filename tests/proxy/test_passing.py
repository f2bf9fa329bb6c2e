"""Answers on their way to the client."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pytest

from kit.backend import Script, backend, say, say_and_close
from kit.loop import in_loop
from kit.nginx import Answer, parse_answer
from kit.proxy_site import Visit, cycle_of, get, read_to_end
from upwire.net.http1 import HttpClientConnection
from upwire.proxy.passing import PacedReader

BIG = 1 << 20

SITE = """
    server {{
        listen 127.0.0.1:80;
        location / {{ proxy_pass http://127.0.0.1:{port}; {directives} }}
        location /error {{ proxy_pass http://127.0.0.1:{port}; proxy_intercept_errors on;
            error_page 401 404 /page; }}
        location /page {{ return 200 page; }}
        location /elsewhere {{ return 200 $request_method:$uri:$args; }}
        location @named {{ return 200 named; }}
    }}
"""


def head(status: str, *fields: str, content: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(content)}", "", ""]
    return "\r\n".join(lines).encode() + content


def ask(
    folder: Path,
    reply: Script,
    target: str = "/x",
    *,
    method: str = "GET",
    directives: str = "",
    fields: Sequence[str] = (),
) -> tuple[Answer, list[bytes]]:
    """Return the answer that a client gets, and what the backend was asked."""
    heads: list[bytes] = []

    async def inner() -> Answer:
        async with backend(reply, heads) as port:
            with cycle_of(SITE.format(port=port, directives=directives), folder) as cycle:
                return await get(cycle, target, *fields, method=method)

    return asyncio.run(inner()), heads


@pytest.mark.parametrize(
    ("target", "method", "content"),
    [
        ("/elsewhere/a%20b?c=d", "POST", b"GET:/elsewhere/a b:c=d"),
        ("@named", "GET", b"named"),
    ],
)
def test_an_upstream_redirects_within(
    target: str, method: str, content: bytes, tmp_path: Path
) -> None:
    fields = (f"X-Accel-Redirect: {target}", "Set-Cookie: c=d; Path=/", "X-Gone: 1")
    directives = "proxy_cookie_path / /new/;"
    answer, _ = ask(tmp_path, say(head("200 OK", *fields)), method=method, directives=directives)
    assert (answer.status, answer.content) == (200, content)
    assert answer.fields["set-cookie"] == "c=d; Path=/new/"
    assert "x-gone" not in answer.fields


@pytest.mark.parametrize(
    ("target", "status", "message"),
    [
        ("/a/../b", 404, 'unsafe URI "/a/../b" was detected'),
        ("/%2e%2e/b", 404, 'unsafe URI "/%2e%2e/b" was detected'),
        ("?a", 404, 'unsafe URI "?a" was detected'),
        ("@none", 500, 'could not find named location "@none"'),
    ],
)
def test_redirects_that_lead_nowhere(
    target: str, status: int, message: str, tmp_path: Path
) -> None:
    answer, _ = ask(tmp_path, say(head("200 OK", f"X-Accel-Redirect: {target}")))
    assert answer.status == status
    assert message in (tmp_path / "error.log").read_text()


def test_the_type_that_redirects_is_kept(tmp_path: Path) -> None:
    for target, media_type in (("/elsewhere", "up/type"), ("/none/", "text/html")):
        fields = (f"X-Accel-Redirect: {target}", "Content-Type: up/type")
        answer, _ = ask(
            tmp_path, say(head("200 OK", *fields)), directives="location /none/ { return 404; }"
        )
        assert answer.fields["content-type"] == media_type
        assert sum(line.startswith("Content-Type:") for line in answer.lines) == 1


def test_head_stays_head_behind_a_redirect(tmp_path: Path) -> None:
    reply = say(head("200 OK", "X-Accel-Redirect: /elsewhere"))
    answer, _ = ask(tmp_path, reply, method="HEAD")
    assert answer.fields["content-length"] == str(len("HEAD:/elsewhere:"))


def test_errors_are_intercepted(tmp_path: Path) -> None:
    challenge = "WWW-Authenticate: Basic"
    answer, _ = ask(tmp_path, say(head("401 No", challenge, content=b"mine")), "/error")
    assert (answer.status, answer.content) == (401, b"page")
    assert answer.fields["www-authenticate"] == "Basic"
    answer, _ = ask(tmp_path, say(head("403 No", content=b"mine")), "/error")
    assert (answer.status, answer.content) == (403, b"mine")


def test_one_range_alone_is_cut_out_of_what_passes_through(tmp_path: Path) -> None:
    for asked, status, content in (("0-1", 206, b"ab"), ("0-1,3-3", 200, b"abcdef")):
        fields = (f"Range: bytes={asked}",)
        reply = say(head("200 OK", content=b"abcdef"))
        answer, _ = ask(tmp_path, reply, directives="proxy_force_ranges on;", fields=fields)
        assert (answer.status, answer.content) == (status, content)


@pytest.mark.parametrize("directives", ["", "proxy_buffering off;", "proxy_limit_rate 1m;"])
def test_a_content_arrives_whole(directives: str, tmp_path: Path) -> None:
    content = bytes(range(256)) * 400
    answer, _ = ask(tmp_path, say(head("200 OK", content=content)), directives=directives)
    assert answer.content == content


def test_a_content_that_nobody_wants_is_not_read(tmp_path: Path) -> None:
    answer, _ = ask(tmp_path, say(head("200 OK", content=b"x")), method="HEAD")
    assert (answer.status, answer.content) == (200, b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"5\r\nhello\r\n", "upstream prematurely closed connection while reading upstream"),
        (b"5\r\nhello\r\nzz\r\n", "upstream sent invalid chunked response"),
    ],
)
@pytest.mark.parametrize("directives", ["", "proxy_buffering off;"])
def test_a_content_that_breaks_is_cut(
    content: bytes, message: str, directives: str, tmp_path: Path
) -> None:
    async def reply(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + content)
        writer.close()

    answer, _ = ask(tmp_path, reply, directives=directives)
    assert answer.status == 200
    assert message in (tmp_path / "error.log").read_text()


def test_what_variables_make_may_be_no_request(tmp_path: Path) -> None:
    directives = "proxy_method $arg_m;"
    answer, heads = ask(tmp_path, say(head("204 No")), "/x?m=a/b", directives=directives)
    assert (answer.status, heads) == (500, [])
    assert "variables gave no method" in (tmp_path / "error.log").read_text()


def test_what_proxy_set_body_says_is_sent(tmp_path: Path) -> None:
    directives = 'proxy_set_body "me: $request_method"; proxy_method PUT;'
    _, (sent,) = ask(tmp_path, say(head("204 No")), directives=directives)
    assert sent.startswith(b"PUT /x HTTP/1.1\r\n")
    assert b"Content-Length: 7\r\n" in sent
    assert sent.endswith(b"\r\n\r\nme: GET")


@in_loop
async def test_a_full_disk_cuts_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = asyncio.Event()

    def open_full() -> BinaryIO:
        opened.set()
        return open("/dev/full", "w+b")

    monkeypatch.setattr(tempfile, "TemporaryFile", open_full)
    with contextlib.suppress(ConnectionError):
        async with backend(say(head("200 OK", content=bytes(BIG))), []) as port:
            with cycle_of(SITE.format(port=port, directives=""), tmp_path) as cycle:
                one = Visit(cycle)
                one.client.pause()
                serving = asyncio.create_task(one.serve())
                one.client.write(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                await opened.wait()
                one.client.resume()
                answer = parse_answer(await read_to_end(one.client))
                await serving
    assert (answer.status, len(answer.content) < BIG) == (200, True)
    log = (tmp_path / "error.log").read_text()
    assert "write() of a temporary file failed (28: No space" in log


@pytest.mark.parametrize("file_size", ["", "proxy_max_temp_file_size 0;"])
@in_loop
async def test_a_slow_client_gets_all_of_it(file_size: str, tmp_path: Path) -> None:
    is_sent = asyncio.Event()

    async def reply(_: bytes, __: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head("200 OK", content=bytes(BIG)))
        await writer.drain()
        is_sent.set()

    heads: list[bytes] = []
    async with backend(reply, heads) as port:
        with cycle_of(SITE.format(port=port, directives=file_size), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.pause()
            serving = asyncio.create_task(one.serve())
            one.client.write(b"GET /x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            if not file_size:
                await asyncio.wait_for(is_sent.wait(), 10)
            one.client.resume()
            answer = parse_answer(await read_to_end(one.client))
            one.client.close()
            await serving
    assert len(answer.content) == BIG


class Source(HttpClientConnection):
    """A connection that is read to its end when its pieces are."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self.pieces = list(pieces)

    @property
    def is_content_complete(self) -> bool:
        return not self.pieces

    async def take(self) -> bytes:
        return self.pieces.pop(0)


def test_a_paced_answer_is_sent_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Though the upstream has given all of it at once."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda _: sleep(0))
    content = b"x" * 2500
    reply = say(head("200 OK", content=content))
    answer, _ = ask(tmp_path, reply, directives="proxy_limit_rate 1k;")
    assert answer.content == content


@in_loop
async def test_reading_keeps_to_a_rate() -> None:
    source = Source([b"x" * 1500, b"y" * 10])
    reader = PacedReader(source.take, 100_000, source)
    now_s = asyncio.get_running_loop().time
    begun_s = now_s()
    pieces = [await reader.read() for _ in range(3)]
    assert [len(piece) for piece in pieces] == [1500, 10, 0]
    assert now_s() - begun_s >= 0.015


@in_loop
async def test_no_piece_is_more_than_a_second_allows() -> None:
    source = Source([b"x" * 250_000])
    reader = PacedReader(source.take, 10_000_000, source)
    assert len(await reader.read()) == 250_000
    source = Source([b"x" * 3])
    assert len(await PacedReader(source.take, 2, source).read()) == 2


def test_an_upstream_sets_the_rate(tmp_path: Path) -> None:
    slow = head("200 OK", "X-Accel-Limit-Rate: 1000", content=b"x" * 1500)
    begun_s = time.monotonic()
    answer, _ = ask(tmp_path, say(slow))
    assert time.monotonic() - begun_s >= 0.9
    assert answer.content == b"x" * 1500
    assert "x-accel-limit-rate" not in answer.fields


@pytest.mark.parametrize("is_late", [False, True])
def test_an_answer_that_nobody_asked_for_reaches_no_other_request(
    is_late: bool, tmp_path: Path
) -> None:
    """Behind an answer on a kept connection stands another: it is no answer to what comes next."""
    evil = head("200 OK", content=b"evil")
    heads: list[bytes] = []

    async def reply(request: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        good = head("200 OK", content=request.split()[1])
        writer.write(good if is_late else good + evil)
        await writer.drain()
        if is_late:
            writer.write(evil)
            await writer.drain()

    async def inner() -> list[bytes]:
        site = """
            upstream kept {{ server 127.0.0.1:{port}; keepalive 1; }}
            server {{ listen 127.0.0.1:80; location / {{ proxy_pass http://kept; }} }}
        """
        async with backend(reply, heads) as port:
            with cycle_of(site.format(port=port), tmp_path) as cycle:
                return [(await get(cycle, f"/{number}")).content for number in range(5)]

    assert asyncio.run(inner()) == [f"/{number}".encode() for number in range(5)]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\x16\x03\x01 garbage",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 100_000,
        b"HTTP/1.1 200 OK\r\nA\0: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/1.1 103 Early\r\n\r\n" * 100,
    ],
)
def test_a_bad_head_is_a_bad_gateway(octets: bytes, tmp_path: Path) -> None:
    answer, _ = ask(tmp_path, say_and_close(octets))
    assert answer.status == 502
