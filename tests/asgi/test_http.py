"""Plain requests of ASGI applications: messages both ways, and what an application may break."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from pathlib import Path
from typing import Any

import pytest

from kit.asgi import Message, Receive, Send, ask, get, run, serving
from upwire.errors import ClientDisconnected, LocalProtocolError

Scope = dict[str, Any]  # Any: as ASGI has it
START = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]}
HEAD = "HTTP/1.1 200 OK\r\n"


def content(answer: str) -> str:
    return answer.partition("\r\n\r\n")[2]


async def say(send: Send, body: bytes, **more: Any) -> None:
    await send({"type": "http.response.body", "body": body, **more})


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await send(START)
    await say(send, b"hello")


def test_a_whole_response_has_its_length() -> None:
    async def main() -> None:
        async with serving(hello, lifespan="off") as server:
            answer = await ask(server, get("/", persists=True), get("/"))
            assert answer.count(HEAD) == 2
            assert answer.count("Content-Length: 5") == 2
            assert answer.count("x-a: b") == 2
            assert answer.endswith("\r\n\r\nhello")

    run(main)


def test_head_has_the_length_and_no_content() -> None:
    async def main() -> None:
        async with serving(hello, lifespan="off") as server:
            answer = await ask(server, get("/", method="HEAD"))
            assert "Content-Length: 5" in answer
            assert content(answer) == ""

    run(main)


def test_content_in_pieces_is_chunked() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await say(send, b"", more_body=True)
        await say(send, b"one", more_body=True)
        await say(send, b"", more_body=True)
        await say(send, bytearray(b"two"))  # type: ignore[arg-type]  # as applications do

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            answer = await ask(server, get("/"))
            assert "Transfer-Encoding: chunked" in answer
            assert content(answer) == "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"

    run(main)


def test_a_declared_length_frames_the_content() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"6"), (b"transfer-encoding", b"chunked"), (b"date", b"d")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        if scope["path"] == "/whole":
            await say(send, b"onetwo")
        else:
            await say(send, b"one", more_body=True)
            await say(send, b"two")

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            for path in ("/whole", "/pieces"):
                answer = await ask(server, get(path))
                assert answer.startswith("HTTP/1.1 201 Created\r\n")
                assert "chunked" not in answer
                assert answer.lower().count("\r\ndate:") == 1
                assert content(answer) == "onetwo"

    run(main)


def test_trailers_follow_the_content() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "http.response.trailers" in scope["extensions"]
        await send({**START, "trailers": True})
        await say(send, b"one")
        for name, more in ((b"x-sum", True), (b"x-end", False)):
            headers = [(name, b"1")]
            await send(
                {"type": "http.response.trailers", "headers": headers, "more_trailers": more}
            )

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            answer = content(await ask(server, get("/")))
            assert answer == "3\r\none\r\n0\r\nx-sum: 1\r\nx-end: 1\r\n\r\n"

    run(main)


@pytest.mark.parametrize("octets", [0, 5, 300_000])
def test_a_file_is_sent_by_its_path(tmp_path: Path, octets: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * octets)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.pathsend", "path": str(path)})

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            answer = await ask(server, get("/"))
            assert f"Content-Length: {octets}\r\n" in answer
            assert content(answer) == "x" * octets

    run(main)


def test_content_of_the_request_comes_in_messages() -> None:
    seen: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        more = True
        while more:
            seen.append(await receive())
            more = seen[-1]["more_body"]
        await hello(scope, receive, send)
        seen.append(await receive())

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            assert content(await ask(server, get("/", method="POST", body="data"))) == "hello"
        assert b"".join(message.get("body", b"") for message in seen) == b"data"
        assert seen[-1] == {"type": "http.disconnect"}

    run(main)


def test_the_client_s_end_is_told_and_sending_raises() -> None:
    told: asyncio.Queue[object] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await say(send, b"one", more_body=True)
        told.put_nowait((await receive())["type"])
        try:
            while True:
                await say(send, b"x" * 65536, more_body=True)
                await asyncio.sleep(0)
        except ClientDisconnected as error:
            told.put_nowait(error)
            raise

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(get("/").encode())
            await reader.readuntil(b"one")
            sock = writer.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            assert await told.get() == "http.disconnect"
            assert isinstance(await told.get(), OSError)

    run(main)


def test_content_that_is_cut_is_a_disconnect() -> None:
    told: asyncio.Queue[object] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "http.request":
            assert message["more_body"]
        told.put_nowait((await receive())["type"])

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            await ask(server, get("/", "Content-Length: 10", method="POST") + "abc", ends=True)
            assert await told.get() == "http.disconnect"

    run(main)


@pytest.mark.parametrize("has_begun", [False, True])
def test_content_that_breaks_a_rule_is_400_where_nothing_was_sent(has_begun: bool) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] == "http.request":
            pass
        if has_begun:
            await send(START)
        raise RuntimeError("the content is cut")

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            head = get("/", "Transfer-Encoding: chunked", method="POST", persists=True)
            answer = await ask(server, f"{head}no chunk\r\n")
            assert answer.startswith("HTTP/1.1 400 Bad Request\r\n")

    run(main)


def test_an_application_answers_content_that_breaks_a_rule() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"
        await hello(scope, receive, send)

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            head = get("/", "Transfer-Encoding: chunked", method="POST", persists=True)
            answer = await ask(server, f"{head}no chunk\r\n")
            assert answer.startswith(HEAD)
            assert content(answer) == "hello"

    run(main)


def test_what_goes_on_behind_the_response_holds_nothing_up() -> None:
    release = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)
        if scope["path"] == "/slow":
            await release.wait()
        else:
            release.set()

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            answer = await ask(server, get("/slow", persists=True), get("/fast"))
            assert answer.count("hello") == 2
            assert release.is_set()

    run(main)


def test_a_next_request_comes_while_the_end_is_awaited() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await hello(scope, receive, send)
        assert (await waiting)["type"] == "http.disconnect"

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            answer = await ask(server, get("/", persists=True), get("/"))
            assert answer.count("hello") == 2

    run(main)


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a fault of the application")


async def exits(scope: Scope, receive: Receive, send: Send) -> None:
    raise SystemExit(3)


async def fails_behind_the_start(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await fails(scope, receive, send)


async def fails_in_the_content(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await say(send, b"one", more_body=True)
    await fails(scope, receive, send)


async def declares_two_lengths(scope: Scope, receive: Receive, send: Send) -> None:
    lengths = [(b"content-length", b"3"), (b"content-length", b"4")]
    await send({**START, "headers": lengths})
    await say(send, b"one")


async def cancels_itself(scope: Scope, receive: Receive, send: Send) -> None:
    raise asyncio.CancelledError


async def returns_early(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def returns_in_the_content(scope: Scope, receive: Receive, send: Send) -> None:
    await send(START)
    await say(send, b"one", more_body=True)


@pytest.mark.parametrize(
    ("app", "answer", "logged"),
    [
        (fails, "500 Internal Server Error", "a fault of the application"),
        (exits, "500 Internal Server Error", "SystemExit: 3"),
        (fails_behind_the_start, "500 Internal Server Error", "a fault of the application"),
        (fails_in_the_content, "3\r\none\r\n", "a fault of the application"),
        (declares_two_lengths, "500 Internal Server Error", "Content-Length"),
        (cancels_itself, "500 Internal Server Error", ""),
        (returns_early, "500 Internal Server Error", "returned without a response: GET /p"),
        (returns_in_the_content, "3\r\none\r\n", "returned without a response: GET /p"),
    ],
)
def test_a_failure_is_logged_and_harms_no_other_request(
    app: Any, answer: str, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = asyncio.Event()

    async def main_app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/other":
            await send(START)
            await other.wait()
            await say(send, b"fine")
        else:
            await app(scope, receive, send)

    async def main() -> None:
        async with serving(main_app, lifespan="off") as server:
            async with asyncio.TaskGroup() as group:
                beside = group.create_task(ask(server, get("/other")))
                got = await ask(server, get("/p"))
                other.set()
            assert answer in got
            assert not got.endswith("0\r\n\r\n")
            assert beside.result().endswith("fine")

    with caplog.at_level(logging.ERROR, "upwire.asgi"):
        run(main)
    assert logged in caplog.text
    assert "upwire/asgi/application.py" not in caplog.text


@pytest.mark.parametrize(
    ("messages", "complaint"),
    [
        ([None], "an ASGI message is a dict with a type, not None"),
        ([{}], "is a dict with a type"),
        ([{"type": 5}], "is a dict with a type"),
        ([{"type": "http.nothing"}], "'http.nothing' for a plain request"),
        ([{"type": "websocket.accept"}], "'websocket.accept' for a plain request"),
        ([{"type": "http.response.body"}], "before the response's start"),
        ([{"type": "http.response.pathsend"}], "without the response's start"),
        ([{"type": "http.response.trailers"}], "where no trailers are due"),
        ([START, START], "behind the response's start"),
        ([{"type": "http.response.start"}], "status is 200 or more, not None"),
        ([{"type": "http.response.start", "status": 101}], "200 or more, not 101"),
        ([{**START, "headers": [("a", "b")]}], "ASGI headers are pairs of octets"),
        ([{**START, "headers": [5]}], "ASGI headers are pairs of octets"),
        ([{**START, "headers": [(b"a", b"b\r\nc: d")]}], "barred character"),
        ([START, {"type": "http.response.body", "body": "text"}], "octets, not 'text'"),
        ([START, {"type": "http.response.pathsend", "path": b"x"}], "a path, not b'x'"),
        (
            [{**START, "headers": [(b"content-length", b"2")]}, {"type": "http.response.body"}],
            "2 octets short",
        ),
    ],
)
def test_a_message_of_the_wrong_kind_is_the_application_s_error(
    messages: list[Any], complaint: str
) -> None:
    raised: list[LocalProtocolError] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for message in messages[:-1]:
            await send(message)
        with pytest.raises(LocalProtocolError, match=complaint) as caught:
            await send(messages[-1])
        raised.append(caught.value)

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            await ask(server, get("/"))

    run(main)
    assert len(raised) == 1


def test_nothing_can_be_sent_behind_the_response() -> None:
    raised: list[LocalProtocolError] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await hello(scope, receive, send)
        with pytest.raises(LocalProtocolError, match="behind the response's end") as caught:
            await say(send, b"more")
        raised.append(caught.value)

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            assert content(await ask(server, get("/"))) == "hello"

    run(main)
    assert len(raised) == 1


def test_a_stop_is_told_to_those_who_wait_for_the_client_s_end() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(START)
        await say(send, b"", more_body=True)
        assert (await receive())["type"] == "http.disconnect"
        assert (await receive())["type"] == "http.disconnect"
        await say(send, b"bye")

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(get("/").encode())
            await reader.readuntil(b"\r\n\r\n")
            await server.close()
            assert (await reader.read()).endswith(b"3\r\nbye\r\n0\r\n\r\n")
            writer.close()

    run(main)


def test_an_application_that_does_not_end_is_cancelled() -> None:
    cancelled = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await say(send, b"", more_body=True)
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(get("/").encode())
            await reader.readuntil(b"\r\n\r\n")
            await server.abort()
            assert cancelled.is_set()
            assert await reader.read() == b""
            writer.close()

    run(main)
