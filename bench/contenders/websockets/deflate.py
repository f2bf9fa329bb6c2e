"""Echo of compressed messages with websockets, on the port that is given; zlib's own defaults."""

from __future__ import annotations

import sys

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory


async def echo(ws: ServerConnection) -> None:
    async for message in ws:
        await ws.send(message)


async def main() -> None:
    deflate = ServerPerMessageDeflateFactory(compress_settings={"level": 6, "memLevel": 8})
    async with serve(
        echo, "127.0.0.1", int(sys.argv[1]), compression=None, extensions=[deflate]
    ) as server:
        await server.serve_forever()


uvloop.run(main())
