"""Fuzzes one side of an open WebSocket."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable, Iterator
from functools import partial

from driver import check_splits, run

from upwire.errors import RemoteProtocolError
from upwire.wire._codec import build_frame
from upwire.wire.deflate import DeflateParameters, PerMessageDeflate
from upwire.wire.websocket import Connection, Fragments, Role, State

LIMIT_OCTETS = 4096
DEFLATED = PerMessageDeflate(DeflateParameters(), is_client=False).compress(b"Hello" * 40)
CORPUS = (
    build_frame(1, "grüße".encode()) + build_frame(9, b"p") + build_frame(8, b"\x03\xe8bye"),
    b"\x01\x04gr\xc3\xbc\x89\x00\x80\x03\xc3\x9fe",
    build_frame(2, bytes(3000), is_final=False) + build_frame(0, bytes(1096)),
    build_frame(2, bytes(4097)),
    build_frame(1, DEFLATED, rsv1=True) * 2,
    build_frame(1, DEFLATED[:9], rsv1=True, is_final=False) + build_frame(0, DEFLATED[9:]),
    build_frame(1, b"masked", mask_key=b"\x00\x00\x00\x00"),
    build_frame(8, b"") + b"after",
)


def read_events(pieces: Iterable[bytes], *, role: Role, deflates: bool) -> object:
    """Every event, and the end, whether it fails or not.

    Left out is how often the reader was let go on while fragments came: that is up to the split.
    Of a compressed message with two faults, the split decides which is found first.
    """
    codec = PerMessageDeflate(DeflateParameters(), is_client=role is Role.CLIENT)
    connection = Connection(
        role,
        random_octets=bytes,
        max_message_octets=LIMIT_OCTETS,
        deflate=codec if deflates else None,
    )
    events: list[object] = []
    try:
        for piece in pieces:
            connection.feed(piece)
            events += _events_now(connection)
        connection.feed_eof()
        events += _events_now(connection)
    except RemoteProtocolError as error:
        if deflates:
            return events
        events.append(str(error))
    assert connection.state is State.CLOSED
    return events, connection.close_code, connection.close_reason, connection.take_output()


def _events_now(connection: Connection) -> Iterator[object]:
    while (event := connection.next_event()) is not None:
        if not isinstance(event, Fragments):
            yield event


def events_do_not_depend_on_splits(octets: bytes, rng: random.Random) -> None:
    """No octets raise anything but RemoteProtocolError; all of them end in CLOSED."""
    for role in Role:
        for deflates in (False, True):
            read = partial(read_events, role=role, deflates=deflates)
            check_splits(read, octets, rng)


if __name__ == "__main__":
    sys.exit(run(events_do_not_depend_on_splits, CORPUS))
