"""Echo of compressed messages with upwire's server, on the port that is given."""

from __future__ import annotations

import sys

import upwire


async def echo(ws: upwire.WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


upwire.run(echo, "127.0.0.1", int(sys.argv[1]), deflate=True)
