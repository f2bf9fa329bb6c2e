"""websockets, aiohttp and picows, each behind the same small interface."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

import aiohttp
import aiohttp.web
import picows
import websockets.asyncio.client
import websockets.asyncio.server
import websockets.exceptions


class Client(Protocol):
    """A client of some library: what the tests need of it."""

    subprotocol: str | None
    compresses: bool

    async def send(self, data: str | bytes) -> None: ...
    async def recv(self) -> str | bytes: ...
    async def ping(self) -> None: ...
    async def close(self, code: int, reason: str) -> None: ...
    async def closed(self) -> tuple[int, str]: ...


Opener = Callable[[str], AbstractAsyncContextManager[Client]]
ServerOpener = Callable[[], AbstractAsyncContextManager[str]]


class WebsocketsClient:
    def __init__(self, ws: websockets.asyncio.client.ClientConnection) -> None:
        self._ws = ws
        self.subprotocol: str | None = ws.subprotocol
        self.compresses = bool(ws.protocol.extensions)

    async def send(self, data: str | bytes) -> None:
        await self._ws.send(data)

    async def recv(self) -> str | bytes:
        return await self._ws.recv()

    async def ping(self) -> None:
        await (await self._ws.ping(b"are you there"))

    async def close(self, code: int, reason: str) -> None:
        await self._ws.close(code, reason)

    async def closed(self) -> tuple[int, str]:
        await self._ws.wait_closed()
        assert self._ws.close_code is not None
        return self._ws.close_code, self._ws.close_reason or ""


@contextlib.asynccontextmanager
async def websockets_client(url: str) -> AsyncIterator[Client]:
    async with websockets.asyncio.client.connect(
        url, subprotocols=[websockets.Subprotocol("v1"), websockets.Subprotocol("echo")]
    ) as ws:
        yield WebsocketsClient(ws)


class AiohttpClient:
    def __init__(self, ws: aiohttp.ClientWebSocketResponse[bool]) -> None:
        self._ws = ws
        self.subprotocol = ws.protocol
        self.compresses = ws.compress > 0

    async def send(self, data: str | bytes) -> None:
        if isinstance(data, str):
            await self._ws.send_str(data)
        else:
            await self._ws.send_bytes(data)

    async def recv(self) -> str | bytes:
        message = await self._ws.receive()
        while message.type is aiohttp.WSMsgType.PING:
            await self._ws.pong(message.data)
            message = await self._ws.receive()
        assert isinstance(message.data, (str, bytes))
        return message.data

    async def ping(self) -> None:
        await self._ws.ping(b"are you there")
        message = await self._ws.receive()
        assert (message.type, bytes(message.data)) == (aiohttp.WSMsgType.PONG, b"are you there")

    async def close(self, code: int, reason: str) -> None:
        await self._ws.close(code=code, message=reason.encode())

    async def closed(self) -> tuple[int, str]:
        if not self._ws.closed:
            message = await self._ws.receive()
            assert message.type is aiohttp.WSMsgType.CLOSE
            return message.data, message.extra or ""
        assert self._ws.close_code is not None
        return self._ws.close_code, ""


@contextlib.asynccontextmanager
async def aiohttp_client(url: str) -> AsyncIterator[Client]:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, protocols=["v1", "echo"], compress=15, autoping=False) as ws,
    ):
        yield AiohttpClient(ws)


class PicowsListener(picows.WSListener):
    """Puts together what comes; picows gives single frames."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[str | bytes | tuple[int, str]] = asyncio.Queue()
        self._is_text = False
        self._parts: list[bytes] = []

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        kinds = picows.WSMsgType
        if frame.msg_type == kinds.CLOSE:
            reason = (frame.get_close_message() or b"").decode()
            self.inbox.put_nowait((int(frame.get_close_code()), reason))
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type == kinds.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == kinds.PONG:
            self.inbox.put_nowait(frame.get_payload_as_bytes())
        else:
            if frame.msg_type != kinds.CONTINUATION:
                self._is_text = frame.msg_type == kinds.TEXT
            self._parts.append(frame.get_payload_as_bytes())
            if frame.fin:
                whole = b"".join(self._parts)
                self._parts.clear()
                self.take(transport, whole.decode() if self._is_text else whole)

    def take(self, transport: Any, message: str | bytes) -> None:
        self.inbox.put_nowait(message)


class PicowsEcho(PicowsListener):
    def take(self, transport: Any, message: str | bytes) -> None:
        if message == "close":
            transport.send_close(4002, b"on request")
        elif isinstance(message, str):
            transport.send(picows.WSMsgType.TEXT, message.encode())
        else:
            transport.send(picows.WSMsgType.BINARY, message)


class PicowsClient:
    def __init__(self, transport: Any, listener: PicowsListener) -> None:
        self.compresses = False
        self.subprotocol: str | None = transport.response.headers.get("Sec-WebSocket-Protocol")
        self._transport = transport
        self._inbox = listener.inbox

    async def send(self, data: str | bytes) -> None:
        kind = picows.WSMsgType.TEXT if isinstance(data, str) else picows.WSMsgType.BINARY
        self._transport.send(kind, data.encode() if isinstance(data, str) else data)

    async def recv(self) -> str | bytes:
        message = await self._inbox.get()
        assert not isinstance(message, tuple)
        return message

    async def ping(self) -> None:
        self._transport.send_ping(b"are you there")
        assert await self._inbox.get() == b"are you there"

    async def close(self, code: int, reason: str) -> None:
        self._transport.send_close(code, reason.encode())
        await self._transport.wait_disconnected()

    async def closed(self) -> tuple[int, str]:
        message = await self._inbox.get()
        assert isinstance(message, tuple)
        await self._transport.wait_disconnected()
        return message


@contextlib.asynccontextmanager
async def picows_client(url: str) -> AsyncIterator[Client]:
    listener = PicowsListener()
    transport, _ = await picows.ws_connect(
        lambda: listener, url, extra_headers={"Sec-WebSocket-Protocol": "v1, echo"}
    )
    try:
        yield PicowsClient(transport, listener)
    finally:
        transport.disconnect()
        await transport.wait_disconnected()


@contextlib.asynccontextmanager
async def websockets_server() -> AsyncIterator[str]:
    async def handle(ws: websockets.asyncio.server.ServerConnection) -> None:
        with contextlib.suppress(websockets.exceptions.ConnectionClosed):
            async for message in ws:
                if message == "close":
                    await ws.close(4002, "on request")
                else:
                    await ws.send(message)

    async with websockets.asyncio.server.serve(
        handle, "127.0.0.1", 0, subprotocols=[websockets.Subprotocol("echo")]
    ) as server:
        host, port = next(iter(server.sockets)).getsockname()
        yield f"ws://{host}:{port}/"


@contextlib.asynccontextmanager
async def aiohttp_server() -> AsyncIterator[str]:
    async def handle(request: aiohttp.web.Request) -> aiohttp.web.WebSocketResponse:
        ws = aiohttp.web.WebSocketResponse(protocols=["echo"])
        await ws.prepare(request)
        async for message in ws:
            if message.data == "close":
                await ws.close(code=4002, message=b"on request")
            elif message.type is aiohttp.WSMsgType.TEXT:
                await ws.send_str(message.data)
            else:
                await ws.send_bytes(message.data)
        return ws

    application = aiohttp.web.Application()
    application.router.add_get("/", handle)
    runner = aiohttp.web.AppRunner(application)
    await runner.setup()
    try:
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"ws://{host}:{port}/"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def picows_server() -> AsyncIterator[str]:
    def accept(request: Any) -> Any:
        if request.path != b"/":
            return None
        response = picows.WSUpgradeResponse.create_101_response(
            extra_headers={"Sec-WebSocket-Protocol": "echo"}
        )
        return picows.WSUpgradeResponseWithListener(response, PicowsEcho())

    server = await picows.ws_create_server(accept, "127.0.0.1", 0)
    try:
        host, port = server.sockets[0].getsockname()
        yield f"ws://{host}:{port}/"
    finally:
        server.close()
