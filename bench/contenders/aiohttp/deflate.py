"""Echo of compressed messages with aiohttp, on the port that is given."""

from __future__ import annotations

import sys

import uvloop
from aiohttp import WSMsgType, web


async def echo(request: web.Request) -> web.WebSocketResponse:
    ws = web.WebSocketResponse(compress=True)
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.BINARY:
            await ws.send_bytes(message.data)
        else:
            await ws.send_str(message.data)
    return ws


app = web.Application()
app.router.add_get("/", echo)
uvloop.install()
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
