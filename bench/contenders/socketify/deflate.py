"""Echo of compressed messages with socketify, on the port that is given."""

from __future__ import annotations

import sys

from socketify import App, AppListenOptions, CompressOptions, OpCode, WebSocket


def echo(ws: WebSocket, message: str | bytes, opcode: OpCode) -> None:
    ws.send(message, opcode, True)


app = App()
app.ws(
    "/",
    {
        "compression": CompressOptions.DEDICATED_COMPRESSOR_256KB
        | CompressOptions.DEDICATED_DECOMPRESSOR_32KB,
        "max_payload_length": 16 * 2**20,
        "idle_timeout": 120,
        "message": echo,
    },
)
app.listen(AppListenOptions(port=int(sys.argv[1]), host="127.0.0.1"))
app.run()
