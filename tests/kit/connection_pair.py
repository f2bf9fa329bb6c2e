"""A client's and a server's `Connection`, joined without any I/O."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from upwire.wire.deflate import DeflateParameters, PerMessageDeflate
from upwire.wire.websocket import Connection, Event, Fragments, FrameInfo, Role


def counting_octets() -> Callable[[int], bytes]:
    """Return a source of "random" octets that differ at each call and are the same in each run."""
    numbers = count(0x01020304)
    return lambda n: b"".join(next(numbers).to_bytes(4, "big") for _ in range(n // 4))


def build_connection(
    role: Role,
    *,
    max_message_octets: int = 2**20,
    deflate: DeflateParameters | None = None,
    frame_log: list[FrameInfo] | None = None,
) -> Connection:
    """Return one side, its masks predictable."""
    codec = None
    if deflate is not None:
        codec = PerMessageDeflate(deflate, is_client=role is Role.CLIENT)
    return Connection(
        role,
        random_octets=counting_octets(),
        max_message_octets=max_message_octets,
        deflate=codec,
        frame_log=frame_log,
    )


def take_events(connection: Connection) -> list[Event]:
    """Return the events that are ready; Fragments only say that others may have a turn."""
    events: list[Event] = []
    while (event := connection.next_event()) is not None:
        if not isinstance(event, Fragments):
            events.append(event)
    return events


def feed_in_steps(connection: Connection, octets: bytes, step: int) -> list[Event]:
    """Feed the octets, `step` at a time, taking the events after each step."""
    events = []
    for at in range(0, len(octets), step):
        connection.feed(octets[at : at + step])
        events += take_events(connection)
    return events


class ConnectionPair:
    """Both sides; exchange() carries their octets until neither has any."""

    def __init__(self, *, deflate: DeflateParameters | None = None, step: int = 2**16) -> None:
        self.client = build_connection(Role.CLIENT, deflate=deflate)
        self.server = build_connection(Role.SERVER, deflate=deflate)
        self.client_events: list[Event] = []
        self.server_events: list[Event] = []
        self._step = step

    def exchange(self) -> None:
        while True:
            upward = self.client.take_output()
            self.server_events += feed_in_steps(self.server, upward, self._step)
            downward = self.server.take_output()
            self.client_events += feed_in_steps(self.client, downward, self._step)
            if not upward and not downward:
                return
