"""Echo with upwire's server and callbacks, on the port that is given."""

from __future__ import annotations

import sys

import upwire


class Echo(upwire.Callbacks):
    def on_message(self, ws: upwire.WebSocket, message: str | bytes) -> None:
        ws.send_nowait(message)


upwire.run(Echo(), "127.0.0.1", int(sys.argv[1]))
