"""One room with upwire, on the port that is given: what a member sends, all get."""

from __future__ import annotations

import sys

import upwire
from upwire.rooms import Rooms

rooms = Rooms()


async def take_part(ws: upwire.WebSocket) -> None:
    async with rooms.join("lobby", ws) as room:
        async for message in ws:
            await room.publish(message)


upwire.run(take_part, "127.0.0.1", int(sys.argv[1]))
