"""Echo of compressed messages with picows, on the port that is given.

Its own interface does not compress; the one that it has in the manner of websockets does.
"""

from __future__ import annotations

import sys

import uvloop
from picows.websockets.asyncio.server import ServerConnection, serve


async def echo(ws: ServerConnection) -> None:
    async for message in ws:
        await ws.send(message)


async def main() -> None:
    async with serve(echo, "127.0.0.1", int(sys.argv[1]), compression="deflate") as server:
        await server.serve_forever()


uvloop.run(main())
