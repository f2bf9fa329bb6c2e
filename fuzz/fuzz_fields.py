"""Fuzzes the grammars of field values."""

from __future__ import annotations

import random
import sys

from driver import run

from upwire.errors import RemoteProtocolError
from upwire.wire.fields import is_token, parse_list, parse_parameters

CORPUS = (
    b"",
    b"keep-alive, Upgrade",
    b' , "a, b" ,c;d="e\\",f"',
    b'"no end, x',
    b'permessage-deflate; client_max_window_bits; server_max_window_bits="10", x',
)


def list_elements_are_a_fixed_point(octets: bytes, rng: random.Random) -> None:
    """Elements of a list parse into themselves, and parameters survive being written again."""
    elements = parse_list(octets.decode("latin-1"))
    assert all(parse_list(element) == [element] for element in elements), elements
    for element in elements:
        try:
            name, parameters = parse_parameters(element)
        except RemoteProtocolError:
            continue
        written = [p if v is None else f"{p}={v}" for p, v in parameters]
        assert is_token(name)
        assert parse_parameters("; ".join([name, *written])) == (name, parameters)


if __name__ == "__main__":
    sys.exit(run(list_elements_are_a_fixed_point, CORPUS))
