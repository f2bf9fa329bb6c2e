"""WebSockets of ASGI applications: the handshake, messages, the end, and what may be broken."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import upwire
from kit.asgi import Message, Receive, Send, ask, get, run, serving, url
from upwire.errors import ClientDisconnected, ConnectionClosed, HandshakeRefused, LocalProtocolError

Scope = dict[str, Any]  # Any: as ASGI has it
ACCEPT = {"type": "websocket.accept"}
HANDSHAKE = (
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send(ACCEPT)
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


def test_messages_go_both_ways() -> None:
    async def main() -> None:
        async with serving(echo, lifespan="off") as server, upwire.connect(url(server)) as ws:
            for data in ("text", b"octets", "", b""):
                await ws.send(data)
                assert await ws.recv() == data

    run(main)


def test_octets_of_any_kind_are_sent() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.send", "bytes": bytearray(b"one"), "text": None})
        await send({"type": "websocket.send", "bytes": memoryview(b"two")})

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            async with upwire.connect(url(server)) as ws:
                assert [message async for message in ws] == [b"one", b"two"]
            assert ws.close_code == 1000

    run(main)


def test_the_handshake_has_the_application_s_subprotocol_and_fields() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["scheme"] == "ws"
        assert scope["subprotocols"] == ["a", "b"]
        await receive()
        headers = [(b"x-a", b"b"), (b"upgrade", b"h2c"), (b"set-cookie", b"c=d")]
        await send({**ACCEPT, "subprotocol": "b", "headers": headers})
        await receive()

    async def main() -> None:
        async with (
            serving(app, lifespan="off") as server,
            upwire.connect(url(server), subprotocols=["a", "b"]) as ws,
        ):
            assert ws.subprotocol == "b"
            assert ws.response.headers["X-A"] == "b"
            assert ws.response.headers["Set-Cookie"] == "c=d"
            assert ws.response.headers.get_all("Upgrade") == ["websocket"]

    run(main)


def test_receiving_may_begin_before_the_application_accepts() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        waiting = asyncio.ensure_future(receive())
        await asyncio.sleep(0)
        await send(ACCEPT)
        assert (await waiting)["text"] == "early"
        await send({"type": "websocket.send", "text": "late"})

    async def main() -> None:
        async with serving(app, lifespan="off") as server, upwire.connect(url(server)) as ws:
            await ws.send("early")
            assert await ws.recv() == "late"

    run(main)


def test_an_application_may_accept_before_it_is_asked() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send(ACCEPT)
        await echo(scope, receive, lambda message: asyncio.sleep(0))

    async def main() -> None:
        async with serving(app, lifespan="off") as server, upwire.connect(url(server)) as ws:
            await ws.send("hi")

    run(main)


def test_the_client_s_close_is_told_with_its_reason() -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        told.put_nowait(await receive())
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.send", "text": "nobody"})
        told.put_nowait({})

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            ws = await upwire.connect(url(server))
            await ws.close(4321, "enough")
            end = {"type": "websocket.disconnect", "code": 4321, "reason": "enough"}
            assert await told.get() == end
            assert await told.get() == {}

    run(main)


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        ({}, 1000, ""),
        ({"code": None, "reason": None}, 1000, ""),
        ({"code": 4000, "reason": "done"}, 4000, "done"),
        ({"code": 4000, "reason": "é" * 100}, 4000, "é" * 61),
    ],
)
def test_the_application_closes(message: Message, code: int, reason: str) -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await receive()
        await send({"type": "websocket.close", **message})
        told.put_nowait(await receive())
        with pytest.raises(LocalProtocolError, match=r"'websocket.send' for .* that is closed"):
            await send({"type": "websocket.send", "text": "late"})
        told.put_nowait({})

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            ws = await upwire.connect(url(server))
            await ws.send("go")
            await ws.send("and nobody wants this")
            await ws.wait_closed()
            assert (ws.close_code, ws.close_reason) == (code, reason)
            assert (await told.get())["code"] == code
            assert await told.get() == {}

    run(main)


def test_a_close_before_the_accept_is_403() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close"})
        assert (await receive())["type"] == "websocket.disconnect"
        with pytest.raises(LocalProtocolError):
            await send(ACCEPT)

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            with pytest.raises(HandshakeRefused) as refused:
                await upwire.connect(url(server))
            assert refused.value.status == 403

    run(main)


def test_a_refusal_of_the_application_s_own() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert "websocket.http.response" in scope["extensions"]
        await receive()
        headers = [(b"x-a", b"b")]
        await send({"type": "websocket.http.response.start", "status": 401, "headers": headers})
        kind = "websocket.http.response.body"
        for piece, more in ((b"who ", True), (b"", True), (b"are you?", False)):
            await send({"type": kind, "body": piece, "more_body": more})

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            with pytest.raises(HandshakeRefused) as refused:
                await upwire.connect(url(server))
            assert refused.value.status == 401
            assert refused.value.body == b"who are you?"
            assert ("x-a", "b") in refused.value.headers

    run(main)


@pytest.mark.parametrize(("status", "lengths"), [(403, [("Content-Length", "2")]), (204, [])])
def test_a_refusal_in_one_piece_has_its_length(status: int, lengths: list[tuple[str, str]]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "websocket.http.response.start", "status": status})
        await send({"type": "websocket.http.response.body", "body": b"no" if lengths else b""})

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            with pytest.raises(HandshakeRefused) as refused:
                await upwire.connect(url(server))
            framing = ("Content-Length", "Transfer-Encoding")
            found = [line for line in refused.value.headers if line[0] in framing]
            assert (refused.value.status, found) == (status, lengths)

    run(main)


def test_a_wrong_handshake_does_not_reach_the_application() -> None:
    async def main() -> None:
        async with serving(echo, lifespan="off") as server:
            fields = [*HANDSHAKE[:2], "Sec-WebSocket-Version: 8", HANDSHAKE[3]]
            answer = await ask(server, get("/", *fields, persists=True), get("/", *fields))
            assert answer.startswith("HTTP/1.1 426 ")

    run(main)


def test_a_client_that_leaves_its_handshake() -> None:
    told: asyncio.Queue[Message] = asyncio.Queue()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        told.put_nowait(await receive())
        raise ClientDisconnected("gone")

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            assert await ask(server, get("/", *HANDSHAKE, persists=True), ends=True) == ""
            assert (await told.get())["code"] == 1006

    run(main)


async def fails(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a fault of the application")


async def returns(scope: Scope, receive: Receive, send: Send) -> None:
    return


async def sends_too_early(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.send", "text": "hi"})


async def chooses_what_nobody_offers(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({**ACCEPT, "subprotocol": "none"})


async def denies_wrongly(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 99})


async def denies_and_returns(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 400})


async def denies_with_a_number(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 400})
    await send({"type": "websocket.http.response.body", "body": 7})


async def cancels_itself(scope: Scope, receive: Receive, send: Send) -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize(
    ("app", "logged"),
    [
        (fails, "a fault of the application"),
        (returns, ""),
        (sends_too_early, "'websocket.send' for a WebSocket that is connecting"),
        (chooses_what_nobody_offers, "subprotocol 'none' was not offered"),
        (denies_wrongly, "status is 200 or more, not 99"),
        (denies_and_returns, ""),
        (denies_with_a_number, "the body of an ASGI message is octets, not 7"),
        (cancels_itself, ""),
    ],
)
def test_a_failure_before_the_accept_is_500(
    app: Any, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            with pytest.raises(HandshakeRefused) as refused:
                await upwire.connect(url(server))
            assert refused.value.status == 500

    run(main)
    assert logged in caplog.text


async def sends_nothing(send: Send) -> None:
    await send({"type": "websocket.send"})


async def sends_a_number(send: Send) -> None:
    await send({"type": "websocket.send", "text": 5})


async def sends_no_message(send: Send) -> None:
    await send(None)  # type: ignore[arg-type]  # as applications do


async def sends_no_type(send: Send) -> None:
    await send({"text": "a"})


async def accepts_again(send: Send) -> None:
    await send(ACCEPT)


async def closes_wrongly(send: Send) -> None:
    await send({"type": "websocket.close", "code": 1006})


@pytest.mark.parametrize(
    ("breaks", "logged"),
    [
        (sends_nothing, "websocket.send has text or bytes, not None"),
        (sends_a_number, "websocket.send has text or bytes, not 5"),
        (sends_no_message, "an ASGI message is a dict with a type, not None"),
        (sends_no_type, "an ASGI message is a dict with a type"),
        (accepts_again, "'websocket.accept' for a WebSocket that is open"),
        (closes_wrongly, "1006"),
    ],
)
def test_a_failure_behind_the_accept_is_1011_and_harms_nobody(
    breaks: Any, logged: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/echo":
            await echo(scope, receive, send)
            return
        await receive()
        await send(ACCEPT)
        await breaks(send)

    async def main() -> None:
        async with (
            serving(app, lifespan="off") as server,
            upwire.connect(url(server, "/echo")) as beside,
        ):
            ws = await upwire.connect(url(server))
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
            assert closed.value.code == 1011
            await beside.send("fine")
            assert await beside.recv() == "fine"

    with caplog.at_level(logging.ERROR, "upwire.asgi"):
        run(main)
    assert logged in caplog.text
    assert "asgi/application.py" not in caplog.text


def test_a_stop_closes_with_1012_and_is_told() -> None:
    told: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        told.append(await receive())

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            ws = await upwire.connect(url(server))
            closing = asyncio.create_task(server.close())
            with pytest.raises(ConnectionClosed) as closed:
                await ws.recv()
            assert closed.value.code == 1012
            await closing

    run(main)
    assert told[0]["code"] == 1012


def test_a_stop_is_told_to_those_who_have_not_accepted() -> None:
    told: list[Message] = []
    reached = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        reached.set()
        told.append(await receive())
        await send({"type": "websocket.close"})

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            asking = asyncio.create_task(ask(server, get("/", *HANDSHAKE, persists=True)))
            await reached.wait()
            await server.close()
            assert (await asking).startswith("HTTP/1.1 403 ")

    run(main)
    assert told[0]["code"] == 1006


def test_one_that_accepts_during_the_stop_is_closed() -> None:
    reached, release = asyncio.Event(), asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        reached.set()
        await release.wait()
        await send(ACCEPT)
        assert (await receive())["code"] == 1012

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            connecting = asyncio.ensure_future(upwire.connect(url(server)).__aenter__())
            await reached.wait()
            closing = asyncio.create_task(server.close())
            await asyncio.sleep(0)
            release.set()
            with pytest.raises(ConnectionClosed) as closed:
                await (await connecting).recv()
            assert closed.value.code == 1012
            await closing

    run(main)


def test_an_application_that_never_reads_is_cancelled_at_the_deadline() -> None:
    cancelled: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"] == "/open":
            await send(ACCEPT)
        else:
            reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.append(scope["path"])

    async def main() -> None:
        async with serving(app, lifespan="off") as server:
            ws = await upwire.connect(url(server, "/open"))
            asking = asyncio.create_task(ask(server, get("/never", *HANDSHAKE, persists=True)))
            await reached.wait()
            await server.abort()
            assert sorted(cancelled) == ["/never", "/open"]
            await asking
            await ws.close()

    reached = asyncio.Event()
    run(main)


def test_an_application_that_never_reads_slows_its_own_client_only() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/echo":
            await echo(scope, receive, send)
            return
        await receive()
        await send(ACCEPT)
        await asyncio.Event().wait()

    async def flood(ws: upwire.WebSocket) -> None:
        while True:
            await ws.send(bytes(2**16))

    async def main() -> None:
        async with (
            serving(app, lifespan="off") as server,
            upwire.connect(url(server), deflate=None) as flooding,
            upwire.connect(url(server, "/echo")) as other,
        ):
            task = asyncio.create_task(flood(flooding))
            while flooding.can_send:  # until the server reads no more, and the system is full
                await other.send("hi")
                assert await other.recv() == "hi"
            for _ in range(100):
                await other.send("hi")
                assert await other.recv() == "hi"
            assert not flooding.can_send
            task.cancel()
            flooding.abort()

    run(main)
