"""Other people's frameworks on our server: the echo or chat that each one's tutorial has."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

import channels.layers
import channels.routing
import django
import fastapi
import litestar
import litestar.handlers
import pytest
import quart
import socketio
import starlette.applications
import starlette.endpoints
import starlette.responses
import starlette.routing
import starlette.websockets
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path, re_path

import upwire
from kit.asgi import ask, get, run, serving, url
from upwire.errors import ConnectionClosed, HandshakeRefused


def content(answer: str) -> str:
    return answer.partition("\r\n\r\n")[2]


# Starlette


class Echo(starlette.endpoints.WebSocketEndpoint):
    encoding = "text"

    async def on_connect(self, websocket: starlette.websockets.WebSocket) -> None:
        await websocket.accept(subprotocol="chat")

    async def on_receive(self, websocket: starlette.websockets.WebSocket, data: Any) -> None:
        await websocket.send_text(f"Message text was: {data}")


async def refuse(websocket: starlette.websockets.WebSocket) -> None:
    await websocket.send_denial_response(starlette.responses.PlainTextResponse("no", 401))


async def stream(request: Any) -> starlette.responses.Response:
    async def pieces() -> AsyncIterator[str]:
        for number in range(3):
            yield f"{number},"

    return starlette.responses.StreamingResponse(pieces())


async def file(request: Any) -> starlette.responses.Response:
    return starlette.responses.FileResponse(__file__)


@contextlib.asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
    yield {"greeting": "Hello"}


async def greet(request: Any) -> starlette.responses.Response:
    return starlette.responses.PlainTextResponse(f"{request.state.greeting} {request.url.path}")


def starlette_app() -> Any:
    return starlette.applications.Starlette(
        routes=[
            starlette.routing.Route("/", greet),
            starlette.routing.Route("/stream", stream),
            starlette.routing.Route("/file", file),
            starlette.routing.WebSocketRoute("/ws", Echo),
            starlette.routing.WebSocketRoute("/refuse", refuse),
        ],
        lifespan=lifespan,
    )


def test_starlette() -> None:
    async def main() -> None:
        async with serving(starlette_app()) as server:
            assert content(await ask(server, get("/"))) == "Hello /"
            assert content(await ask(server, get("/stream"))).count(",") == 3
            assert "FileResponse(__file__)" in content(await ask(server, get("/file")))
            async with upwire.connect(url(server, "/ws"), subprotocols=["chat"]) as ws:
                await ws.send("hi")
                assert await ws.recv() == "Message text was: hi"
                assert ws.subprotocol == "chat"
            with pytest.raises(HandshakeRefused) as refused:
                await upwire.connect(url(server, "/refuse"))
            assert (refused.value.status, refused.value.body) == (401, b"no")

    run(main)


def test_starlette_below_a_path_beside_a_handler_of_ours() -> None:
    routes = upwire.Routes()

    @routes.websocket("/shout")
    async def shout(ws: upwire.WebSocket) -> None:
        async for message in ws:
            await ws.send(str(message).upper())

    routes.mount("/app", upwire.AsgiApplication(starlette_app()))

    async def main() -> None:
        async with serving(routes) as server:
            assert content(await ask(server, get("/app/"))) == "Hello /app/"
            assert (await ask(server, get("/"))).startswith("HTTP/1.1 404 ")
            async with (
                upwire.connect(url(server, "/shout")) as ours,
                upwire.connect(url(server, "/app/ws"), subprotocols=["chat"]) as theirs,
            ):
                await ours.send("hi")
                await theirs.send("hi")
                assert await ours.recv() == "HI"
                assert await theirs.recv() == "Message text was: hi"

    run(main)


# FastAPI


async def get_token(
    websocket: fastapi.WebSocket, token: Annotated[str | None, fastapi.Query()] = None
) -> str:
    if token is None:
        raise fastapi.WebSocketException(code=fastapi.status.WS_1008_POLICY_VIOLATION)
    return token


def fastapi_app(done: asyncio.Event) -> Any:
    app = fastapi.FastAPI()

    @app.websocket("/items/{item_id}/ws")
    async def items(
        websocket: fastapi.WebSocket,
        item_id: str,
        token: Annotated[str, fastapi.Depends(get_token)],
        q: int | None = None,
    ) -> None:
        await websocket.accept()
        with contextlib.suppress(fastapi.WebSocketDisconnect):
            while True:
                data = await websocket.receive_text()
                await websocket.send_text(f"{token}: {data} for item {item_id}, {q}")

    @app.post("/send/{email}")
    async def send(email: str, background_tasks: fastapi.BackgroundTasks) -> dict[str, str]:
        background_tasks.add_task(done.set)
        return {"message": f"for {email}"}

    return app


def test_fastapi() -> None:
    async def main() -> None:
        done = asyncio.Event()
        async with serving(fastapi_app(done)) as server:
            answer = await ask(server, get("/send/a@example.org", method="POST"))
            assert json.loads(content(answer)) == {"message": "for a@example.org"}
            await done.wait()
            async with upwire.connect(url(server, "/items/7/ws?token=t&q=3")) as ws:
                await ws.send("hi")
                assert await ws.recv() == "t: hi for item 7, 3"
            with pytest.raises(HandshakeRefused) as refused:
                await upwire.connect(url(server, "/items/7/ws"))
            assert refused.value.status == 403

    run(main)


# Django and Channels


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # it has no types
    async def connect(self) -> None:
        self.room_group_name = f"chat_{self.scope['url_route']['kwargs']['room_name']}"
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code: int) -> None:
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data: str) -> None:
        message = json.loads(text_data)["message"]
        event = {"type": "chat.message", "message": message}
        await self.channel_layer.group_send(self.room_group_name, event)

    async def chat_message(self, event: dict[str, str]) -> None:
        await self.send(text_data=json.dumps({"message": event["message"]}))


def index(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"Django says {request.method} {request.path} {request.body.decode()}")


urlpatterns = [path("chat/", index)]


def django_app() -> Any:
    if not settings.configured:
        settings.configure(
            ROOT_URLCONF=__name__,
            ALLOWED_HOSTS=["*"],
            SECRET_KEY="of a test",
            CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}},
        )
        django.setup()
    chat = re_path(r"ws/chat/(?P<room_name>\w+)/$", ChatConsumer.as_asgi())
    return channels.routing.ProtocolTypeRouter(
        {"http": get_asgi_application(), "websocket": channels.routing.URLRouter([chat])}
    )


def test_django_and_channels() -> None:
    async def main() -> None:
        async with serving(django_app()) as server:
            answer = await ask(server, get("/chat/", method="POST", body="data"))
            assert content(answer).endswith("Django says POST /chat/ data")
            assert (await ask(server, get("/nothing"))).startswith("HTTP/1.1 404 ")
            address = url(server, "/ws/chat/lobby/")
            async with upwire.connect(address) as first, upwire.connect(address) as second:
                await first.send(json.dumps({"message": "hello"}))
                for ws in (first, second):
                    assert await ws.recv() == json.dumps({"message": "hello"})

    run(main)


# Quart


def quart_app() -> Any:
    app = quart.Quart(__name__)

    @app.get("/")
    async def hello() -> str:
        return "hello"

    @app.websocket("/ws")
    async def ws() -> None:
        while True:
            data = await quart.websocket.receive()
            await quart.websocket.send("echo " + str(data))

    return app


def test_quart() -> None:
    async def main() -> None:
        async with serving(quart_app()) as server:
            assert content(await ask(server, get("/"))) == "hello"
            async with upwire.connect(url(server, "/ws")) as ws:
                await ws.send("hi")
                assert await ws.recv() == "echo hi"

    run(main)


# Litestar


def litestar_app() -> Any:
    @litestar.get("/")
    async def hello() -> dict[str, str]:
        return {"hello": "world"}

    @litestar.handlers.websocket_listener("/ws")
    async def handler(data: str) -> str:
        return f"echo {data}"

    return litestar.Litestar([hello, handler])


def test_litestar() -> None:
    async def main() -> None:
        async with serving(litestar_app()) as server:
            assert json.loads(content(await ask(server, get("/")))) == {"hello": "world"}
            async with upwire.connect(url(server, "/ws")) as ws:
                await ws.send("hi")
                assert await ws.recv() == "echo hi"

    run(main)


# python-socketio


@pytest.mark.parametrize("transport", ["websocket", "polling"])
def test_socketio(transport: str) -> None:
    async def main() -> None:
        sio = socketio.AsyncServer(async_mode="asgi")

        @sio.event  # type: ignore[untyped-decorator]  # it has no types
        async def chat(sid: str, data: str) -> str:
            await sio.emit("chat", f"{data} for all")
            return "taken"

        got: asyncio.Queue[str] = asyncio.Queue()
        async with serving(socketio.ASGIApp(sio)) as server:
            client = socketio.AsyncClient(reconnection=False)
            client.on("chat", got.put)
            await client.connect(f"http://127.0.0.1:{server.port}", transports=[transport])
            assert await client.call("chat", "hi") == "taken"
            assert await got.get() == "hi for all"
            await client.eio.disconnect(abort=True)  # a poll would be awaited to its end
            await sio.shutdown()

    run(main)


# All


def test_a_stop_is_seen_by_each_framework() -> None:
    apps = {
        "/ws": starlette_app(),
        "/items/7/ws?token=t": fastapi_app(asyncio.Event()),
        "/ws/chat/lobby/": django_app(),
    }

    async def main() -> None:
        for target, app in apps.items():
            async with serving(app) as server:
                ws = await upwire.connect(url(server, target), subprotocols=["chat"])
                await server.close()
                with pytest.raises(ConnectionClosed) as closed:
                    await ws.recv()
                assert closed.value.code == 1012

    run(main)
