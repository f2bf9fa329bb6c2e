"""One room with picows, on the port that is given: what a member sends, all get."""

from __future__ import annotations

import sys

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

members: set[WSTransport] = set()


class Member(WSListener):
    def on_ws_connected(self, transport: WSTransport) -> None:
        members.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        members.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()
            return
        message = frame.get_payload_as_bytes()
        for member in members:
            member.send(frame.msg_type, message)


async def main() -> None:
    server = await ws_create_server(lambda _: Member(), "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


uvloop.run(main())
