"""A node of rooms, as a program of its own: python -m kit.rooms_node REDIS_URL SOCKET.

A WebSocket's first message says who enters which room, and from where it goes on; each further
one is a line to publish, with the key under which it may be repeated. `Chatter` is its client.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable

import upwire
from upwire.errors import ConnectionClosed, StreamError
from upwire.rooms import (
    Event,
    HistoryLimits,
    Interrupted,
    Joined,
    Left,
    Position,
    Published,
    Resumed,
    RoomLimits,
    Rooms,
)
from upwire.rooms.redis_home import RedisHome

PRESENCE_TTL_S = 0.6
LIMITS = RoomLimits(history=HistoryLimits(messages=5000, ttl_s=60.0), recovery_messages=5000)


def encode(room: str, event: Event) -> str | None:
    match event:
        case Published(publication, position):
            return json.dumps({"line": publication.data, "at": [position.epoch, position.offset]})
        case Joined(_, info):
            return json.dumps({"joined": info["name"]})
        case Left(member_id):
            return json.dumps({"left": member_id})
        case Resumed(_, is_complete):
            return json.dumps({"resumed": is_complete})
        case Interrupted():
            return None


async def run_node(url: str, path: str) -> None:
    """Serve until killed."""
    home = RedisHome(url, deadline_s=20.0, presence_ttl_s=PRESENCE_TTL_S)

    async def chat(ws: upwire.WebSocket) -> None:
        hello = json.loads(await ws.recv())
        since = hello["since"] and Position(*hello["since"])
        info = {"name": hello["name"]}
        room = rooms.join(hello["room"], ws, info=info, since=since, encode=encode)
        await room.enter()
        try:
            await ws.send(json.dumps({"node": os.getpid(), "recovered": room.recovered}))
            room.start()
            async for message in ws:
                line, key = json.loads(message)
                await room.publish(line, idempotency_key=key)
                await ws.send(json.dumps({"published": key}))
        finally:
            await room.leave()

    async with Rooms(home, limits=LIMITS) as rooms, upwire.serve(chat, unix=path):
        print("ready", flush=True)
        await asyncio.Event().wait()


class Chatter:
    """A client that comes back when it is cut, goes on where it was, and repeats what is unsure."""

    def __init__(self, url: str, room: str, name: str) -> None:
        self.room = room
        self.name = name
        self.heard: list[tuple[int, str]] = []
        self.left: list[str] = []
        self.nodes: list[int] = []
        self.recovered: list[bool | None] = []
        self.resumed: list[bool] = []
        self._url = url
        self._at: tuple[str, int] | None = None
        self._unsure: dict[str, str] = {}
        self._ws: upwire.WebSocket | None = None
        self._has_news = asyncio.Event()

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                async with upwire.connect(self._url) as ws:
                    await self._converse(ws)
            except (ConnectionClosed, StreamError, upwire.HandshakeRefused):
                await asyncio.sleep(0.02)  # as a client that backs off does

    async def say(self, line: str) -> None:
        """Publish a line, and wait until it is."""
        key = f"{self.name} {line}"
        self._unsure[key] = line
        await self._send(key)
        await self.until(lambda: key not in self._unsure)

    async def until_heard(self, offset: int) -> None:
        """Wait until the line of that offset has come."""
        await self.until(lambda: bool(self.heard) and self.heard[-1][0] >= offset)

    async def until(self, is_so: Callable[[], bool]) -> None:
        while not is_so():
            self._has_news.clear()
            await self._has_news.wait()

    async def _converse(self, ws: upwire.WebSocket) -> None:
        await ws.send(json.dumps({"room": self.room, "name": self.name, "since": self._at}))
        hello = json.loads(await ws.recv())
        self.nodes.append(hello["node"])
        self.recovered.append(hello["recovered"])
        self._ws = ws
        for key in list(self._unsure):
            await self._send(key)
        async for message in ws:
            self._hear(json.loads(message))
            self._has_news.set()

    async def _send(self, key: str) -> None:
        if self._ws is not None:
            try:
                await self._ws.send(json.dumps([self._unsure[key], key]))
            except (ConnectionClosed, StreamError):
                self._ws = None  # it is said when the next one is open

    def _hear(self, message: dict[str, object]) -> None:
        match message:
            case {"line": str(line), "at": [str(epoch), int(offset)]}:
                self._at = (epoch, offset)
                self.heard.append((offset, line))
            case {"published": str(key)}:
                self._unsure.pop(key, None)
            case {"left": str(member_id)}:
                self.left.append(member_id)
            case {"resumed": bool(is_complete)}:
                self.resumed.append(is_complete)


if __name__ == "__main__":
    asyncio.run(run_node(*sys.argv[1:]))
