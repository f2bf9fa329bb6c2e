"""Fuzzes what a browser may send to its rooms."""

from __future__ import annotations

import random
import sys

from driver import run

from upwire.rooms.home import Position
from upwire.rooms.protocol import (
    CommandRefused,
    describe_position,
    encode,
    encode_refusal,
    read_command,
)

_SINCE = '"since":{"epoch":"e","offset":3}'
CORPUS = (
    b"{}",
    b'{"id":1,"method":"connect","version":1}',
    b'{"id":2,"method":"ping"}',
    f'{{"id":3,"method":"join","room":"r","info":{{"n":1}},"history":5,{_SINCE}}}'.encode(),
    b'{"id":4,"method":"join","room":"r","presence":true,"window":4}',
    b'{"id":5,"method":"publish","room":"r","data":["\\ud83d\\ude00",1e3,null],"key":"k"}',
    b'{"id":6,"method":"publish","room":"r","data":"\\ud800","idempotency_key":"i"}',
    f'{{"id":7,"method":"history","room":"r",{_SINCE},"limit":9}}'.encode(),
    f'{{"id":8,"method":"recover","room":"r",{_SINCE}}}'.encode(),
    b'{"id":9,"method":"update","room":"r","info":{},"window":0}',
    b'{"id":10,"method":"ack","room":"r","offset":1}',
    b'{"id":11,"method":"presence","room":"r"}{"id":12,"method":"leave","room":"r"}',
    b'{"id":13,"method":"publish","room":"r","data":' + b"[" * 40 + b"]" * 40 + b"}",
)


def texts_are_commands_or_refused(octets: bytes, rng: random.Random) -> None:
    """A text is a command that can be sent on, or is refused in a message of ours."""
    try:
        _, command = read_command(octets.decode(errors="replace"))
    except CommandRefused as refused:
        encode_refusal(refused)
        return
    for name in command.__slots__:
        value = getattr(command, name)
        encode(describe_position(value) if isinstance(value, Position) else value)


if __name__ == "__main__":
    sys.exit(run(texts_are_commands_or_refused, CORPUS))
