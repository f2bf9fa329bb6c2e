"""One room with websockets, on the port that is given: what a member sends, all get."""

from __future__ import annotations

import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

members: set[ServerConnection] = set()


async def take_part(ws: ServerConnection) -> None:
    members.add(ws)
    try:
        async for message in ws:
            broadcast(members, message)
    finally:
        members.remove(ws)


async def main() -> None:
    async with serve(take_part, "127.0.0.1", int(sys.argv[1]), compression=None) as server:
        await server.serve_forever()


uvloop.run(main())
