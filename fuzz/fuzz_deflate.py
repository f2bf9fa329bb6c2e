"""Fuzzes the inflater and the negotiation of permessage-deflate."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterable
from functools import partial

from driver import check_splits, run, verdict

from upwire.errors import RemoteProtocolError
from upwire.wire.deflate import (
    DeflateOptions,
    DeflateParameters,
    PerMessageDeflate,
    accept_offer,
    check_answer,
)

LIMIT_OCTETS = 4096
OPTIONS = DeflateOptions()
PARAMETERS = tuple(
    DeflateParameters(resets, resets, bits, bits) for resets in (False, True) for bits in (8, 15)
)
CORPUS = (
    bytes.fromhex("f248cdc9c90700"),
    bytes.fromhex("f348cdc9c9070000"),
    bytes.fromhex("000500faff48656c6c6f00"),
    PerMessageDeflate(PARAMETERS[1], is_client=False).compress(bytes(LIMIT_OCTETS + 1)),
    PerMessageDeflate(PARAMETERS[0], is_client=False).compress(bytes(range(256)) * 8),
    b"permessage-deflate; client_max_window_bits; server_max_window_bits=10",
    b"x, permessage-deflate; server_no_context_takeover; client_no_context_takeover",
)


def inflate(pieces: Iterable[bytes], parameters: DeflateParameters) -> object:
    """The message twice over, the second time in the context of the first; None: refused.

    Of two faults, the split decides which is found first.
    """
    codec = PerMessageDeflate(parameters, is_client=True)
    inflated = []
    pieces = tuple(pieces)
    try:
        for _ in range(2):
            message = b""
            for piece in pieces:
                message += codec.decompress(piece, False, LIMIT_OCTETS - len(message))
            message += codec.decompress(b"", True, LIMIT_OCTETS - len(message))
            assert len(message) <= LIMIT_OCTETS
            inflated.append(message)
    except RemoteProtocolError:
        return None
    return inflated


def negotiate(pieces: Iterable[bytes]) -> object:
    """What a server answers must be an answer that a client takes."""
    value = b"".join(pieces).decode("latin-1")
    verdict(lambda _: check_answer([value], OPTIONS), ())
    accepted = accept_offer([value], OPTIONS)
    if accepted is not None:
        answer, parameters = accepted
        assert check_answer([answer], OPTIONS) == parameters
    return accepted


def messages_do_not_depend_on_splits(octets: bytes, rng: random.Random) -> None:
    """No octets raise anything but RemoteProtocolError, and none inflate past the limit."""
    for parameters in PARAMETERS:
        if parameters.server_max_window_bits == 15:
            # zlib takes references past a smaller window where it still has what they mean.
            check_splits(partial(inflate, parameters=parameters), octets, rng)
        else:
            inflate([octets], parameters)
        sender = PerMessageDeflate(parameters, is_client=False)
        receiver = PerMessageDeflate(parameters, is_client=True)
        assert receiver.decompress(sender.compress(octets), True, len(octets)) == octets
    verdict(negotiate, [octets])


if __name__ == "__main__":
    sys.exit(run(messages_do_not_depend_on_splits, CORPUS))
