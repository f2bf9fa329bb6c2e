"""Contents of requests: in memory, in files, and refused."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from kit.nginx import Answer
from kit.proxy_site import LISTENING, Visit, cycle_of, read_to_end, visit
from upwire.proxy import exchange
from upwire.proxy.body import BodyRefused, read_body
from upwire.proxy.request import Handled, Outcome, Phase, Request
from upwire.proxy.response import respond

CHUNKED = b"5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n"


def in_file(path: str) -> bytes:
    """Return what a file holds."""
    return Path(path).read_bytes()


@pytest.fixture(autouse=True)
def _echo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the content phase answer with the request's own content, and say where that was."""

    async def echo(request: Request) -> Handled:
        try:
            body = await read_body(request)
        except BodyRefused as refusal:
            return refusal.status or 499
        assert await read_body(request) is body
        content = b"".join([piece async for piece in body.pieces()])
        path = body.path
        assert path is None or in_file(path) == content
        fields = [("X-Text", request.lookup("request_body") or ""), ("X-File", path or "")]
        await respond(request, 200, fields, content)
        return Outcome.DONE

    phases = [(phase, (echo,) if phase is Phase.CONTENT else own) for phase, own in exchange.PHASES]
    monkeypatch.setattr(exchange, "PHASES", tuple(phases))


def post(folder: Path, directives: str, content: bytes, *, is_chunked: bool = False) -> Answer:
    framing = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {len(content)}"
    head = f"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{framing}\r\n\r\n"

    async def run() -> Answer:
        with cycle_of(LISTENING.format(directives=directives), folder) as cycle:
            return await visit(cycle, head.encode() + content)

    return asyncio.run(run())


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_small_content_stays_in_memory(tmp_path: Path, is_chunked: bool) -> None:
    got = post(tmp_path, "", CHUNKED if is_chunked else b"helloworld", is_chunked=is_chunked)
    assert (got.content, got.fields["x-text"]) == (b"helloworld", "helloworld")
    assert got.fields["x-file"] == ""


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_great_content_goes_to_a_file(tmp_path: Path, is_chunked: bool) -> None:
    directives = "client_body_buffer_size 7; client_body_temp_path bodies/a;"
    content = CHUNKED if is_chunked else b"helloworld"
    got = post(tmp_path, directives, content, is_chunked=is_chunked)
    assert (got.content, got.fields["x-text"]) == (b"helloworld", "")
    assert got.fields["x-file"].startswith(str(tmp_path / "bodies" / "a"))
    assert not os.path.exists(got.fields["x-file"])


@pytest.mark.parametrize(("word", "is_kept"), [("on", True), ("clean", False)])
def test_in_a_file_only(tmp_path: Path, word: str, is_kept: bool) -> None:
    directives = f"client_body_in_file_only {word};"
    got = post(tmp_path, directives, b"hello")
    path = got.fields["x-file"]
    assert (got.content, os.path.exists(path)) == (b"hello", is_kept)
    if is_kept:
        os.unlink(path)


def test_no_content(tmp_path: Path) -> None:
    assert post(tmp_path, "", b"").content == b""


def test_a_client_that_waits_with_nothing_to_send(tmp_path: Path) -> None:
    request = b"POST / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nExpect: 100-Continue\r\n"

    async def run() -> bytes:
        with cycle_of(LISTENING.format(directives=""), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(request + b"Content-Length: 0\r\n\r\n")
            serving = asyncio.create_task(one.serve())
            received = await read_to_end(one.client)
            one.client.close()
            await serving
            return received

    assert asyncio.run(run()).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")


def test_too_much(tmp_path: Path) -> None:
    directives = "client_max_body_size 7;"
    assert post(tmp_path, directives, b"helloworld").status == 413
    assert post(tmp_path, directives, CHUNKED, is_chunked=True).status == 413
    log = (tmp_path / "error.log").read_text()
    assert "intended to send too large body: 10 bytes" in log
    assert "intended to send too large chunked body" in log


def test_a_broken_coding_leaves_no_file(tmp_path: Path) -> None:
    directives = "client_body_in_file_only on; client_body_temp_path bodies;"
    assert post(tmp_path, directives, b"5\r\nhello\r\nx\r\n", is_chunked=True).status == 400
    assert os.listdir(tmp_path / "bodies") == []


def test_no_room_for_files(tmp_path: Path) -> None:
    (tmp_path / "bodies").write_text("no folder")
    directives = "client_body_in_file_only on; client_body_temp_path bodies;"
    assert post(tmp_path, directives, b"hello").status == 500
    assert "[crit]" in (tmp_path / "error.log").read_text()


def test_a_file_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> object:
        return open("/dev/full", "w+b")

    monkeypatch.setattr("upwire.proxy.body.tempfile.NamedTemporaryFile", full)
    monkeypatch.setattr("upwire.proxy.body.os.unlink", lambda path: None)
    directives = "client_body_in_file_only on;"
    assert post(tmp_path, directives, b"hello").status == 500
    assert "No space left on device" in (tmp_path / "error.log").read_text()


def test_a_client_that_leaves(tmp_path: Path) -> None:
    async def run() -> None:
        with cycle_of(LISTENING.format(directives=""), tmp_path) as cycle:
            one = Visit(cycle)
            one.client.write(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhe")
            one.client.write_eof()
            await one.serve()

    asyncio.run(run())
    assert "client prematurely closed connection" in (tmp_path / "error.log").read_text()
