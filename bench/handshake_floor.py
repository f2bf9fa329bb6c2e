"""The cheapest end of a connection that there is: `python -m bench.handshake_floor PORT`.

It answers opening handshakes and Closes and keeps what stays open.
"""

from __future__ import annotations

import socket
import sys

from upwire.load._handshakes import Acceptor

SLICE_S = 0.25


def main(port: int) -> None:
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listener:
        acceptor = Acceptor(listener)
        while True:
            acceptor.run(SLICE_S)


if __name__ == "__main__":
    main(int(sys.argv[1]))
