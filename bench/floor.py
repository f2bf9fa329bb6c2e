"""A server at the speed of the load generator: `python -m bench.floor PORT CONNECTIONS PAYLOAD`.

It speaks the opening handshake and then knows what comes: for each prepared frame of a load that
arrived octet by octet as it must, the prepared echo goes back. What a load generator measures
here is its own limit; behind a proxy it is the fastest upstream there can be.
"""

from __future__ import annotations

import contextlib
import socket
import sys

from upwire.errors import RemoteProtocolError
from upwire.load._engine import Engine
from upwire.load.measure import Work, frames
from upwire.wire.handshake import ServerPolicy, check_request
from upwire.wire.http1 import RequestHeadParser, serialize_response

SLICE_S = 0.25
READ_OCTETS = 65536


def main(port: int, connections: int, payload_octets: int) -> None:
    """Serve loads of so many connections, one after the other."""
    frame, echo = frames(Work(url="", payload_octets=payload_octets))
    with socket.create_server(("127.0.0.1", port), backlog=4096) as listener:
        while True:
            sockets = [accept(listener) for _ in range(connections)]
            engine = Engine([one for one, _ in sockets], echo, frame, in_flight=0)
            for index, (_, early) in enumerate(sockets):
                engine.receive(index, early)
            while engine.run(SLICE_S):
                pass
            engine.close()
            for one, _ in sockets:
                one.close()


def accept(listener: socket.socket) -> tuple[socket.socket, bytes]:
    """Return the next connection that makes a handshake, and the octets behind it."""
    while True:
        one, _ = listener.accept()
        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.suppress(RemoteProtocolError, OSError):
            return one, answer(one)
        one.close()


def answer(one: socket.socket) -> bytes:
    """Answer the opening handshake; return what came behind it. Raises where none came."""
    parser = RequestHeadParser()
    buffer = b""
    while (parsed := parser.parse(buffer)) is None:
        octets = one.recv(READ_OCTETS)
        if not octets:
            raise ConnectionError("no handshake came")
        buffer += octets
    head, size = parsed
    one.sendall(serialize_response(check_request(head, ServerPolicy()).response()))
    return buffer[size:]


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
