"""The server, over sockets: handshakes, pages beside them, failures, and the stop."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import logging
import re
import socket
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import upwire
from upwire.errors import (
    ConfigError,
    ConnectionClosed,
    HandshakeRefused,
    LocalProtocolError,
    StreamError,
)
from upwire.net.websocket import WebSocket
from upwire.server import (
    EndpointKeywords,
    EndpointOptions,
    Request,
    Response,
    Routes,
    Server,
    ServerKeywords,
    ServerOptions,
)

DEADLINE_S = 20.0

HANDSHAKE = (
    "Host: localhost\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main()

    asyncio.run(bounded())


async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


async def ask(server: Server, *requests: str) -> str:
    """Send requests on one connection, return all that comes until the server ends it."""
    address = server.addresses[0]
    if isinstance(address, str):
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        reader, writer = await asyncio.open_connection(*address)
    writer.write("".join(requests).encode("latin-1"))
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.decode("latin-1")


def get(path: str, *fields: str, method: str = "GET") -> str:
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *fields]
    return "\r\n".join([*lines, "", ""])


def status_of(answer: str) -> int:
    return int(answer.split(" ", 2)[1])


# Handshakes


def test_the_example_of_the_rfc() -> None:
    async def main() -> None:
        async with upwire.serve(echo, port=0) as server:
            answer = await ask(server, f"GET /any/path?x HTTP/1.1\r\n{HANDSHAKE}\r\n")
        head = answer.partition("\r\n\r\n")[0]
        assert head.startswith("HTTP/1.1 101 Switching Protocols\r\n")
        assert "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head
        assert "\r\nDate: " in head

    run(main)


def test_a_message_right_behind_the_handshake_is_answered() -> None:
    async def main() -> None:
        async with upwire.serve(echo, port=0) as server:
            frames = "\x81\x00"  # not masked: the answer is a Close with 1002
            answer = await ask(server, f"GET / HTTP/1.1\r\n{HANDSHAKE}\r\n{frames}")
        assert "frame from a client is not masked" in answer

    run(main)


@pytest.mark.parametrize(
    ("request_text", "status", "expected"),
    [
        (get("/ws"), 426, "Upgrade: websocket"),
        (get("/ws", method="POST"), 405, "Allow: GET\r\n"),
        (get("/ws", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 426, "proxy_set_header"),
        (f"GET /ws HTTP/1.0\r\n{HANDSHAKE}\r\n", 400, "proxy_http_version 1.1"),
        (
            f"GET /ws HTTP/1.1\r\n{HANDSHAKE.replace('13', '8')}\r\n",
            426,
            "Sec-WebSocket-Version: 13",
        ),
        (f"GET /absent HTTP/1.1\r\n{HANDSHAKE}\r\n", 404, "nothing is at /absent"),
        (get("/absent"), 404, "nothing is at /absent"),
        (get("/page", method="PUT"), 405, "Allow: GET, HEAD\r\n"),
        (f"GET /page HTTP/1.1\r\n{HANDSHAKE}\r\n", 200, "a page"),
        (get("/both"), 200, "a page"),
        (get("/both", method="PATCH"), 405, "Allow: GET, HEAD\r\n"),
        ("nonsense\r\n\r\n", 400, ""),
        (get("*", method="OPTIONS"), 404, ""),
    ],
)
def test_refusals_say_why(request_text: str, status: int, expected: str) -> None:
    async def page(request: Request) -> Response:
        return Response.text("a page\n")

    async def main() -> None:
        routes = Routes()
        routes.websocket("/ws")(echo)
        routes.get("/page")(page)
        routes.get("/both")(page)
        routes.websocket("/both")(echo)
        async with upwire.serve(routes, port=0) as server:
            answer = await ask(server, request_text)
        assert status_of(answer) == status
        assert expected in answer
        assert "\r\nDate: " in answer

    run(main)


@pytest.mark.parametrize(
    ("request_text", "logged"),
    [
        (
            f"GET /ws?secret HTTP/1.1\r\n{HANDSHAKE}Origin: https://b.example\r\n\r\n",
            "at /ws: 403 Forbidden: Origin 'https://b.example' is not allowed (RFC 6455 §10.2). "
            "To mend it: add it to the origins",
        ),
        (get("/ws", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), "at /ws: 426 Upgrade Required"),
        (f"GET /absent\x9b1m HTTP/1.1\r\n{HANDSHAKE}\r\n", "at /absent\\x9b1m: 404 Not Found"),
        (get("/ws"), None),
        (get("/absent"), None),
    ],
)
def test_refused_handshakes_are_logged_once(
    request_text: str, logged: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        routes = Routes()
        routes.websocket("/ws", origins=["https://a.example"])(echo)
        async with upwire.serve(routes, port=0) as server:
            await ask(server, request_text)

    run(main)
    if logged is None:
        assert caplog.records == []
        return
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("upwire.server", "WARNING")
    text = record.getMessage()
    assert re.match(r"handshake refused for 127\.0\.0\.1:\d+ ", text)
    assert logged in text
    assert text.isprintable()


def test_a_refused_request_leaves_the_connection_for_the_next() -> None:
    async def main() -> None:
        routes = Routes()
        routes.websocket("/ws")(echo)
        async with upwire.serve(routes, port=0) as server:
            answer = await ask(server, get("/absent"), get("/ws"), get("/gone"))
        assert [answer.count(f"HTTP/1.1 {status}") for status in (404, 426)] == [2, 1]

    run(main)


def test_origins_and_subprotocols_are_the_paths_own_or_the_servers() -> None:
    async def main() -> None:
        routes = Routes()
        routes.websocket("/inner", origins=["https://a.example", None])(echo)
        routes.websocket("/outer", subprotocols=["v2"])(echo)
        async with upwire.serve(
            routes, port=0, origins=["https://b.example"], subprotocols=["v1"]
        ) as server:
            base = f"ws://127.0.0.1:{server.port}"
            async with upwire.connect(f"{base}/inner", subprotocols=["v1", "v2"]) as ws:
                assert ws.subprotocol == "v1"
            async with upwire.connect(
                f"{base}/outer", origin="https://b.example", subprotocols=["v1", "v2"]
            ) as ws:
                assert ws.subprotocol == "v2"
            for path, origin in (("/inner", "https://b.example"), ("/outer", None)):
                with pytest.raises(HandshakeRefused) as raised:
                    await upwire.connect(base + path, origin=origin)
                assert raised.value.status == 403
                assert b"is not allowed" in raised.value.body

    run(main)


def test_a_subprotocol_can_be_chosen_by_a_function() -> None:
    async def main() -> None:
        async with upwire.serve(
            echo, port=0, select_subprotocol=lambda offered: offered[-1]
        ) as server:
            url = f"ws://127.0.0.1:{server.port}"
            async with upwire.connect(url, subprotocols=["a", "b"]) as ws:
                assert ws.subprotocol == "b"

    run(main)


def test_the_handler_gets_path_parameters_and_both_heads() -> None:
    async def show(ws: WebSocket) -> None:
        name = ws.path_params["name"]
        key = ws.request.headers["Sec-WebSocket-Key"]
        accept = ws.response.headers["Sec-WebSocket-Accept"]
        await ws.send(f"{name} {ws.request.query} {key} {accept}")

    async def main() -> None:
        routes = Routes()
        routes.websocket("/rooms/{name}")(show)
        async with upwire.serve(routes, port=0) as server:
            url = f"ws://127.0.0.1:{server.port}/rooms/caf%C3%A9?a=b"
            async with upwire.connect(url) as ws:
                key = ws.request.headers["Sec-WebSocket-Key"]
                accept = ws.response.headers["Sec-WebSocket-Accept"]
                assert await ws.recv() == f"café a=b {key} {accept}"

    run(main)


def test_limits_of_the_path_hold() -> None:
    async def main() -> None:
        routes = Routes()
        routes.websocket("/", max_message_octets=10)(echo)
        async with (
            upwire.serve(routes, port=0) as server,
            upwire.connect(f"ws://127.0.0.1:{server.port}") as ws,
        ):
            await ws.send("x" * 11)
            with pytest.raises(ConnectionClosed) as raised:
                await ws.recv()
            assert raised.value.code == 1009

    run(main)


def test_an_open_websocket_keeps_nothing_of_http() -> None:
    noted: list[weakref.ref[object]] = []

    async def note(request: Request) -> Response | None:
        exchange = request._exchange
        noted.extend(weakref.ref(of_http) for of_http in (request, exchange, exchange.connection))
        return None

    async def main() -> None:
        async with (
            upwire.serve(echo, port=0, process_request=note) as server,
            upwire.connect(f"ws://127.0.0.1:{server.port}") as ws,
        ):
            await ws.send("open")
            await ws.recv()
            gc.collect()
            assert [kept() for kept in noted] == [None] * 3

    run(main)


# The hook


def test_the_hook_may_answer_and_may_tell_the_handler() -> None:
    async def authenticate(request: Request) -> Response | None:
        if request.headers.get("Authorization") != "Bearer right":
            return Response.text("who are you\n", 401, {"WWW-Authenticate": "Bearer"})
        request.context["user"] = request.path_params["name"]
        return None

    async def greet(ws: WebSocket) -> None:
        await ws.send(f"hello {ws.context['user']}")

    async def main() -> None:
        routes = Routes()
        routes.websocket("/{name}")(greet)
        async with upwire.serve(routes, port=0, process_request=authenticate) as server:
            url = f"ws://127.0.0.1:{server.port}/ada"
            with pytest.raises(HandshakeRefused) as raised:
                await upwire.connect(url)
            assert (raised.value.status, raised.value.body) == (401, b"who are you\n")
            async with upwire.connect(url, headers={"Authorization": "Bearer right"}) as ws:
                assert await ws.recv() == "hello ada"

    run(main)


def test_a_hook_that_fails_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(request: Request) -> Response | None:
        raise RuntimeError("the secret reason")

    async def main() -> None:
        async with upwire.serve(echo, port=0, process_request=fail) as server:
            answer = await ask(server, f"GET / HTTP/1.1\r\n{HANDSHAKE}\r\n")
        assert status_of(answer) == 500
        assert "secret" not in answer

    run(main)
    assert "the secret reason" in caplog.text


# Plain HTTP


def test_pages_are_answered_beside_websockets() -> None:
    async def page(request: Request) -> Response:
        return Response.html("<p>hello", headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"})

    async def take(request: Request) -> Response:
        return Response.json({"got": await request.json(), "at": request.path_params["name"]})

    async def main() -> None:
        routes = Routes()
        routes.get("/")(page)
        routes.post("/{name}")(take)
        async with upwire.serve(routes, port=0) as server:
            answer = await ask(server, get("/"), get("/", method="HEAD"))
            assert answer.count("Content-Length: 8") == 2
            assert answer.count("<p>hello") == 1
            assert answer.count("Date: Thu, 01 Jan 1970 00:00:00 GMT") == 2
            answer = await ask(server, get("/x", "Content-Length: 4", method="POST"), "[1]\n")
            assert answer.endswith('{"got":[1],"at":"x"}')
            answer = await ask(server, get("/x", "Content-Length: 1", method="POST"), "[")
            assert status_of(answer) == 400
            assert "content is not JSON" in answer

    run(main)


def test_too_much_content_is_413() -> None:
    async def take(request: Request) -> Response:
        return Response.text(str(len(await request.body())))

    async def main() -> None:
        routes = Routes()
        routes.post("/")(take)
        async with upwire.serve(routes, port=0, max_body_octets=3) as server:
            fits = await ask(server, get("/", "Content-Length: 3", method="POST"), "abc")
            too_much = await ask(server, get("/", "Content-Length: 4", method="POST"), "abcd")
        assert (status_of(fits), status_of(too_much)) == (200, 413)

    run(main)


def test_a_content_can_be_sent_as_it_comes() -> None:
    class Pieces:
        begun = 0

        async def __aiter__(self):  # type: ignore[no-untyped-def]  # an async generator
            Pieces.begun += 1
            for piece in (b"one ", b"two"):
                yield piece

    async def page(request: Request) -> Response:
        return Response(200, Pieces())

    async def main() -> None:
        routes = Routes()
        routes.get("/")(page)
        async with upwire.serve(routes, port=0) as server:
            answer = await ask(server, get("/"), get("/", method="HEAD"))
        assert "4\r\none \r\n3\r\ntwo\r\n0\r\n" in answer
        assert Pieces.begun == 1

    run(main)


def test_files_are_answered(tmp_path: Path) -> None:
    (tmp_path / "app.js").write_text("let a;")

    async def main() -> None:
        routes = Routes()
        routes.static("/assets", tmp_path)
        async with upwire.serve(routes, port=0) as server:
            answer = await ask(server, get("/assets/app.js"), get("/assets/absent"))
            assert "\r\n\r\nlet a;HTTP/1.1 404 Not Found\r\n" in answer
            answer = await ask(server, get("/assets"))
            assert "Location: ./assets/\r\n" in answer

    run(main)


def test_a_page_that_fails_is_logged_and_says_no_more_than_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def page(request: Request) -> Response:
        raise RuntimeError("the secret reason")

    async def main() -> None:
        routes = Routes()
        routes.get("/")(page)
        async with upwire.serve(routes, port=0) as server:
            answer = await ask(server, get("/"), get("/"))
        assert answer.count("HTTP/1.1 500 Internal Server Error") == 2
        assert "secret" not in answer

    run(main)
    records = [record for record in caplog.records if record.name == "upwire.server"]
    assert len(records) == 2
    assert records[0].exc_info is not None


def backend_refusal() -> HandshakeRefused:
    """Make what connect() raises where a server answers 404, with fields about that answer."""
    fields = [("Transfer-Encoding", "chunked"), ("Set-Cookie", "secret=1")]
    return HandshakeRefused("the secret reason", status=404, reason="", headers=fields)


@pytest.mark.parametrize("error", [backend_refusal, lambda: StreamError("a backend was lost")])
def test_what_a_backend_does_wrong_is_not_told_as_the_clients_fault(
    error: Callable[[], Exception], caplog: pytest.LogCaptureFixture
) -> None:
    async def page(request: Request) -> Response:
        raise error()

    async def main() -> None:
        routes = Routes()
        routes.get("/")(page)
        async with upwire.serve(routes, port=0) as server:
            answer = await ask(server, get("/"))
        assert status_of(answer) == 500
        assert "Set-Cookie" not in answer
        assert "chunked" not in answer

    run(main)
    (record,) = caplog.records
    text = record.getMessage()
    assert re.fullmatch(r"handler .*\.<locals>\.page failed for 127\.0\.0\.1:\d+ at GET /", text)


def test_a_client_that_cuts_its_content_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    async def take(request: Request) -> Response:
        return Response.text(str(len(await request.body())))

    async def main() -> None:
        routes = Routes()
        routes.post("/")(take)
        async with upwire.serve(routes, port=0) as server:
            with contextlib.suppress(ConnectionError):
                cut = await ask(server, get("/", "Content-Length: 9", method="POST"), "abc")
                assert cut == ""

    run(main)
    assert caplog.records == []


def test_a_handler_that_forgets_its_answer_is_told_so(caplog: pytest.LogCaptureFixture) -> None:
    async def forget(request: Request) -> Response:
        return None  # type: ignore[return-value]  # as an untyped application may

    async def main() -> None:
        routes = Routes()
        routes.get("/")(forget)
        async with upwire.serve(routes, port=0) as server:
            assert status_of(await ask(server, get("/"))) == 500

    run(main)
    assert "a handler returns a Response, not None" in caplog.text


# Handlers that end


async def refuse_to_go_on(ws: WebSocket) -> None:
    raise upwire.RemoteProtocolError("you talk too much", close_code=1008)


async def fail(ws: WebSocket) -> None:
    raise RuntimeError("the secret reason")


async def lose_a_backend(ws: WebSocket) -> None:
    raise upwire.ConnectError("no backend", phase="connecting", address="x")


async def be_refused_by_a_backend(ws: WebSocket) -> None:
    raise backend_refusal()


async def leave(ws: WebSocket) -> None:
    return


async def close_twice(ws: WebSocket) -> None:
    await ws.close(4000, "mine")


@pytest.mark.parametrize(
    ("handler", "code", "reason", "logged"),
    [
        (leave, 1000, "", None),
        (close_twice, 4000, "mine", None),
        (refuse_to_go_on, 1008, "you talk too much", None),
        (lose_a_backend, 1011, "", "no backend"),
        (be_refused_by_a_backend, 1011, "", "the secret reason"),
        (fail, 1011, "", "the secret reason"),
    ],
)
def test_how_a_handler_ends_is_the_close(
    handler: Callable[[WebSocket], Awaitable[None]],
    code: int,
    reason: str,
    logged: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with (
            upwire.serve(handler, port=0) as server,
            upwire.connect(f"ws://127.0.0.1:{server.port}/rooms?secret") as ws,
        ):
            with pytest.raises(ConnectionClosed) as raised:
                await ws.recv()
            assert (raised.value.code, raised.value.reason) == (code, reason)

    run(main)
    if logged is None:
        assert caplog.records == []
        return
    assert logged in caplog.text
    (record,) = caplog.records
    assert record.name == "upwire.server"
    where = rf"handler {__name__}\.{handler.__name__} failed for 127\.0\.0\.1:\d+ at /rooms"
    assert re.match(where, record.getMessage())
    assert (record.exc_info is not None) is (handler is fail)


def test_a_client_that_vanishes_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "upwire")

    async def main() -> None:
        async with upwire.serve(echo, port=0) as server:
            ws = await upwire.connect(f"ws://127.0.0.1:{server.port}")
            (theirs,) = server.websockets
            ws.abort()
            await theirs.wait_closed()
            assert theirs.close_code == 1006

    run(main)
    assert [record.getMessage() for record in caplog.records if record.levelno > 20] == []


# Back-pressure


def test_a_client_that_does_not_read_bounds_what_is_kept_for_it() -> None:
    piece = bytes(2**16)

    async def flood(ws: WebSocket) -> None:
        while True:
            await ws.send(piece)

    async def main() -> None:
        async with upwire.serve(flood, port=0, deflate=None) as server:
            reader, writer = await asyncio.open_connection(*server.addresses[0], limit=2**10)
            writer.write(f"GET / HTTP/1.1\r\n{HANDSHAKE}\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            (ws,) = server.websockets
            while ws.can_send:  # noqa: ASYNC110  # the system's buffers fill up
                await asyncio.sleep(0)
            assert ws.unsent_octets < 4 * len(piece)
            writer.transport.abort()
            await ws.wait_closed()

    run(main)


def test_a_handler_that_does_not_receive_stops_the_client() -> None:
    async def main() -> None:
        piece = bytes(2**16)
        async with (
            upwire.serve(wait, port=0, receive_queue_octets=2**18) as server,
            upwire.connect(f"ws://127.0.0.1:{server.port}", deflate=None) as ws,
        ):
            while ws.can_send:
                await ws.send(piece)
            (theirs,) = server.websockets
            received = [await theirs.recv() for _ in range(10)]
            assert received == [piece] * 10
            await ws.send("there is room again")
            ws.abort()

    run(main)


async def wait(ws: WebSocket) -> None:
    await ws.wait_closed()


# Start and stop


def test_a_stop_closes_with_1001_and_lets_handlers_end() -> None:
    async def main() -> None:
        ended = []

        async def handler(ws: WebSocket) -> None:
            async for message in ws:
                await ws.send(message)
            ended.append(ws)

        server = await upwire.serve(handler, port=0)
        ws = await upwire.connect(f"ws://127.0.0.1:{server.port}")
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        writer.write(get("/").encode())
        await reader.readuntil(b"WebSocket client\n")
        await ws.send("in flight")
        assert await ws.recv() == "in flight"
        await server.close()
        assert [message async for message in ws] == []
        assert (ws.close_code, ws.close_reason) == (1001, "the server stops")
        assert len(ended) == 1
        assert server.websockets == frozenset()
        await reader.read()  # the end of an idle connection
        writer.close()
        await writer.wait_closed()
        await server.wait_closed()
        await server.close()

    run(main)


def test_a_stop_cuts_what_does_not_end(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        reached = asyncio.Event()

        async def stubborn(ws: WebSocket) -> None:
            reached.set()
            await asyncio.Event().wait()

        async with upwire.serve(stubborn, port=0, stop_timeout_s=0.05) as server:
            ws = await upwire.connect(f"ws://127.0.0.1:{server.port}")
            await reached.wait()
        await ws.wait_closed()
        assert ws.close_code == 1001

    run(main)


def test_an_abort_cuts_everything() -> None:
    async def main() -> None:
        server = await upwire.serve(echo, port=0)
        ws = await upwire.connect(f"ws://127.0.0.1:{server.port}")
        await server.abort()
        with pytest.raises(ConnectionClosed) as raised:
            await ws.recv()
        assert raised.value.code == 1006

    run(main)


def test_a_handshake_during_the_stop_is_closed_at_once() -> None:
    async def main() -> None:
        arrived, go_on = asyncio.Event(), asyncio.Event()

        async def hold(request: Request) -> Response | None:
            arrived.set()
            await go_on.wait()
            return None

        server = await upwire.serve(echo, port=0, process_request=hold)
        connecting = asyncio.ensure_future(upwire.connect(f"ws://127.0.0.1:{server.port}")._open())
        await arrived.wait()
        closing = asyncio.create_task(server.close())
        await asyncio.sleep(0)
        go_on.set()
        ws = await connecting
        assert [message async for message in ws] == []
        assert ws.close_code == 1001
        await closing

    run(main)


def test_a_connection_that_arrives_with_the_stop_does_not_hold_it_up() -> None:
    async def main() -> None:
        server = await upwire.serve(echo, port=0, stop_timeout_s=60)
        with socket.create_connection(("127.0.0.1", server.port)):
            while not server._listener.connections:  # noqa: ASYNC110  # accept() has no event
                await asyncio.sleep(0)
            await server.close()

    run(main)


def test_the_port_is_known_while_it_listens() -> None:
    async def main() -> None:
        server = upwire.serve(echo, port=0)
        with pytest.raises(LocalProtocolError, match="not started"):
            server.port  # noqa: B018
        async with server:
            assert server.port > 0
        with pytest.raises(LocalProtocolError, match="stopped"):
            server.port  # noqa: B018

    run(main)


def test_serve_forever_ends_when_it_is_cancelled_or_closed() -> None:
    async def main() -> None:
        server = upwire.serve(echo, port=0)
        serving = asyncio.create_task(server.serve_forever())
        await asyncio.sleep(0)
        url = f"ws://127.0.0.1:{server.port}"
        async with upwire.connect(url) as ws:
            serving.cancel()
            assert [message async for message in ws] == []
        with pytest.raises(asyncio.CancelledError):
            await serving
        with pytest.raises(upwire.ConnectError):
            await upwire.connect(url)

        async with upwire.serve(echo, port=0) as server:
            serving = asyncio.create_task(server.serve_forever())
            await asyncio.sleep(0)
            await server.close()
            await serving

    run(main)


def test_it_listens_on_a_unix_socket_or_a_given_one(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "app.sock")
        async with upwire.serve(echo, unix=path) as server:
            assert server.addresses == (path,)
            assert server.port == 0
            assert status_of(await ask(server, get("/"))) == 426
        sock = socket.create_server(("127.0.0.1", 0))
        async with upwire.serve(echo, sock=sock) as server:
            assert server.port == sock.getsockname()[1]
            assert status_of(await ask(server, get("/"))) == 426

    run(main)


def test_an_address_in_use_is_said_plainly() -> None:
    async def main() -> None:
        async with upwire.serve(echo, port=0) as server:
            with pytest.raises(ConfigError, match=f"127.0.0.1:{server.port}: Address already"):
                await upwire.serve(echo, port=server.port)

    run(main)


# Options


def test_the_keywords_are_the_fields() -> None:
    for options, keywords in (
        (EndpointOptions, EndpointKeywords),
        (ServerOptions, ServerKeywords),
    ):
        names = {field.name for field in dataclasses.fields(options)}
        assert set(keywords.__annotations__) == names


def test_one_str_is_no_sequence_of_them() -> None:
    with pytest.raises(LocalProtocolError, match="subprotocols is a sequence"):
        upwire.serve(echo, subprotocols="chat")


@pytest.mark.parametrize("port", [-1, 65536, "8080", True, None])
def test_a_port_is_a_number_that_can_be_one(port: int) -> None:
    with pytest.raises(LocalProtocolError, match="port is an int of 0 to 65535, not "):
        upwire.serve(echo, port=port)


def test_what_is_no_handler_is_refused_before_the_start() -> None:
    with pytest.raises(LocalProtocolError, match=r"async def handler\(ws\)"):
        upwire.serve(lambda ws: None)  # type: ignore[arg-type]  # the fault itself
