"""permessage-deflate: negotiation on both sides, and the codec. RFC 7692."""

from __future__ import annotations

import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.wire.deflate import (
    DeflateOptions,
    DeflateParameters,
    PerMessageDeflate,
    accept_offer,
    build_offer,
    check_answer,
)

NAME = "permessage-deflate"
DEFAULT = DeflateOptions()
SERVER_RESETS = "server_no_context_takeover"
CLIENT_RESETS = "client_no_context_takeover"
SERVER_BITS = "server_max_window_bits"
CLIENT_BITS = "client_max_window_bits"


def build_pair(parameters: DeflateParameters) -> tuple[PerMessageDeflate, PerMessageDeflate]:
    """Return a server's codec and a client's."""
    return (
        PerMessageDeflate(parameters, is_client=False),
        PerMessageDeflate(parameters, is_client=True),
    )


@pytest.mark.parametrize(("server", "client"), [(7, 15), (16, 15), (15, 7), (15, 16)])
def test_window_bits_out_of_range(server: int, client: int) -> None:
    with pytest.raises(LocalProtocolError, match="between 8 and 15"):
        DeflateOptions(server_max_window_bits=server, client_max_window_bits=client)


@pytest.mark.parametrize(("level", "mem_level"), [(10, 8), (-2, 8), (6, 0), (6, 10)])
def test_levels_out_of_range(level: int, mem_level: int) -> None:
    with pytest.raises(LocalProtocolError, match="level"):
        DeflateOptions(level=level, mem_level=mem_level)


@pytest.mark.parametrize(
    ("options", "offer"),
    [
        (DEFAULT, f"{NAME}; {CLIENT_BITS}"),
        (
            DeflateOptions(True, True, 10, 9),
            f"{NAME}; {SERVER_RESETS}; {CLIENT_RESETS}; {SERVER_BITS}=10; {CLIENT_BITS}=9",
        ),
    ],
)
def test_offers(options: DeflateOptions, offer: str) -> None:
    assert build_offer(options) == offer


# offer, the server's options, its answer, what is agreed: resets and bits of server and client
ACCEPTED = [
    (NAME, DEFAULT, NAME, (False, False, 15, 15)),
    (f"{NAME}; {CLIENT_BITS}", DEFAULT, NAME, (False, False, 15, 15)),
    (f"{NAME}; {CLIENT_BITS}=10", DEFAULT, f"{NAME}; {CLIENT_BITS}=10", (False, False, 15, 10)),
    (f'{NAME}; {CLIENT_BITS}="10"', DEFAULT, f"{NAME}; {CLIENT_BITS}=10", (False, False, 15, 10)),
    (f"{NAME}; {SERVER_BITS}=15", DEFAULT, f"{NAME}; {SERVER_BITS}=15", (False, False, 15, 15)),
    (f"{NAME}; {SERVER_BITS}=8", DEFAULT, f"{NAME}; {SERVER_BITS}=8", (False, False, 8, 15)),
    (
        f"{NAME}; {SERVER_RESETS}; {CLIENT_RESETS}",
        DEFAULT,
        f"{NAME}; {SERVER_RESETS}; {CLIENT_RESETS}",
        (True, True, 15, 15),
    ),
    (
        NAME,
        DeflateOptions(True, True, 11, 12),
        f"{NAME}; {SERVER_RESETS}; {CLIENT_RESETS}; {SERVER_BITS}=11",
        (True, True, 11, 15),
    ),
    (
        f"{NAME}; {CLIENT_BITS}; {SERVER_BITS}=13",
        DeflateOptions(False, False, 11, 12),
        f"{NAME}; {SERVER_BITS}=11; {CLIENT_BITS}=12",
        (False, False, 11, 12),
    ),
]


@pytest.mark.parametrize(("offer", "options", "answer", "agreed"), ACCEPTED)
def test_offers_that_a_server_accepts(
    offer: str, options: DeflateOptions, answer: str, agreed: tuple[bool, bool, int, int]
) -> None:
    options = replace(options, level=1, mem_level=2, min_octets=3)
    assert accept_offer([offer], options) == (answer, DeflateParameters(*agreed, 1, 2, 3))


INVALID = [
    f"{SERVER_RESETS}=1",
    f"{CLIENT_RESETS}=true",
    SERVER_BITS,
    f"{SERVER_BITS}=7",
    f"{SERVER_BITS}=16",
    f"{SERVER_BITS}=08",
    f"{SERVER_BITS}=+9",
    f"{CLIENT_BITS}=0",
    f"{CLIENT_BITS}=10; {CLIENT_BITS}=10",
    f"{CLIENT_BITS}; {CLIENT_BITS}",
    f"{SERVER_RESETS}; {SERVER_RESETS}",
    "unknown",
]


@pytest.mark.parametrize("parameters", INVALID)
def test_an_invalid_offer_is_passed_over(parameters: str) -> None:
    assert accept_offer([f"{NAME}; {parameters}"], DEFAULT) is None
    chosen = accept_offer([f"other, {NAME}; {parameters}", f"{NAME}; {SERVER_RESETS}"], DEFAULT)
    assert chosen is not None
    assert chosen[0] == f"{NAME}; {SERVER_RESETS}"


@pytest.mark.parametrize("parameters", INVALID)
def test_an_invalid_answer_is_refused(parameters: str) -> None:
    with pytest.raises(RemoteProtocolError, match="invalid parameter") as caught:
        check_answer([f"{NAME}; {parameters}"], DEFAULT)
    assert caught.value.close_code == 1010


def test_no_offer_and_no_answer_mean_no_compression() -> None:
    assert accept_offer([], DEFAULT) is None
    assert accept_offer(["x-webkit-deflate-frame"], DEFAULT) is None
    assert check_answer([], DEFAULT) is None


WIDE = DeflateOptions(server_no_context_takeover=True, server_max_window_bits=12)


@pytest.mark.parametrize(
    ("answer", "options", "agreed"),
    [
        (NAME, DEFAULT, (False, False, 15, 15)),
        (f"{NAME}; {CLIENT_BITS}=9", DEFAULT, (False, False, 15, 9)),
        (f"{NAME}; {SERVER_BITS}=9; {SERVER_RESETS}", DEFAULT, (True, False, 9, 15)),
        (f"{NAME}; {CLIENT_RESETS}", DEFAULT, (False, True, 15, 15)),
        (f"{NAME}; {SERVER_RESETS}; {SERVER_BITS}=12", WIDE, (True, False, 12, 15)),
        (NAME, DeflateOptions(False, True, 15, 10), (False, True, 15, 10)),
        (f"{NAME}; {CLIENT_BITS}=12", DeflateOptions(False, True, 15, 10), (False, True, 15, 10)),
    ],
)
def test_answers_that_a_client_takes(
    answer: str, options: DeflateOptions, agreed: tuple[bool, bool, int, int]
) -> None:
    assert check_answer([answer], options) == DeflateParameters(*agreed)


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        (["other"], DEFAULT, "not offered"),
        ([NAME, NAME], DEFAULT, "not offered"),
        ([f"{NAME}; {CLIENT_BITS}"], DEFAULT, "invalid parameter"),
        ([f"{NAME}; {SERVER_BITS}=12"], WIDE, "lacks"),
        ([f"{NAME}; {SERVER_RESETS}"], WIDE, "exceeds"),
        ([f"{NAME}; {SERVER_RESETS}; {SERVER_BITS}=13"], WIDE, "exceeds"),
    ],
)
def test_answers_that_the_offer_does_not_allow(
    values: list[str], options: DeflateOptions, message: str
) -> None:
    with pytest.raises(RemoteProtocolError, match=message):
        check_answer(values, options)


@pytest.mark.parametrize("values", [['x; a="'], ["; a"]])
def test_a_malformed_field_is_refused(values: list[str]) -> None:
    with pytest.raises(RemoteProtocolError):
        accept_offer(values, DEFAULT)


@pytest.mark.parametrize(
    ("hexes", "message"),
    [
        # RFC 7692 §7.2.3: a fixed block, the same again in the same context, no compression,
        # a block with BFINAL set, two blocks.
        (["f248cdc9c90700"], b"Hello"),
        (["f248cdc9c90700", "f200110000"], b"Hello"),
        (["000500faff48656c6c6f00"], b"Hello"),
        (["f348cdc9c9070000"], b"Hello"),
        (["f248050000 00ffffcac9c90700"], b"Hello"),
        (["00"], b""),
    ],
)
@pytest.mark.parametrize("step", [1, 1000])
def test_the_examples_of_the_rfc(hexes: list[str], message: bytes, step: int) -> None:
    codec = PerMessageDeflate(DeflateParameters(), is_client=True)
    for octets in map(bytes.fromhex, hexes):
        pieces = [octets[at : at + step] for at in range(0, len(octets), step)]
        inflated = b"".join(codec.decompress(piece, False, 100) for piece in pieces)
        assert inflated + codec.decompress(b"", True, 100) == message


def test_the_first_message_is_as_in_the_rfc() -> None:
    server, _ = build_pair(DeflateParameters())
    assert server.compress(b"Hello") == bytes.fromhex("f248cdc9c90700")
    assert server.compress(b"Hello") == bytes.fromhex("f200110000")
    assert server.compress(b"") == b"\x00"


def test_without_context_takeover_each_message_stands_alone() -> None:
    server, client = build_pair(DeflateParameters(server_no_context_takeover=True))
    assert server.compress(b"Hello") == server.compress(b"Hello")
    assert client.decompress(server.compress(b"Hello"), True, 5) == b"Hello"
    with pytest.raises(RemoteProtocolError, match="does not inflate") as caught:
        client.decompress(bytes.fromhex("f200110000"), True, 5)
    assert caught.value.close_code == 1007


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.binary(max_size=2000) | st.just(b"again " * 3000), max_size=3), max_size=5
    ),
    st.integers(8, 15),
    st.booleans(),
    st.booleans(),
)
def test_messages_survive_both_ways(
    messages: list[list[bytes]], bits: int, resets: bool, is_upward: bool
) -> None:
    """Every window, kept or not, whole messages and fragments, read by an inflater as narrow."""
    server, client = build_pair(DeflateParameters(resets, resets, bits, bits))
    sender, receiver = (client, server) if is_upward else (server, client)
    for fragments in messages:
        deflated = b"".join(sender.compress(fragment, False) for fragment in fragments)
        deflated += sender.compress(b"")
        whole = b"".join(fragments)
        assert receiver.decompress(deflated, True, len(whole)) == whole


def test_a_window_of_256_octets_reads_what_we_compress_for_it() -> None:
    server, client = build_pair(DeflateParameters(server_max_window_bits=8))
    message = bytes(range(256)) * 200 + b"x" * 5000
    deflated = server.compress(message)
    assert client.decompress(deflated, True, len(message)) == message
    assert len(deflated) < len(message)


def test_a_bomb_is_refused_before_it_is_inflated() -> None:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflater.compress(bytes(50_000_000)) + deflater.flush(zlib.Z_SYNC_FLUSH)
    codec = PerMessageDeflate(DeflateParameters(), is_client=False)
    with pytest.raises(RemoteProtocolError, match="too big") as caught:
        codec.decompress(bomb[:-4], True, 1000)
    assert caught.value.close_code == 1009


def test_a_message_may_be_exactly_as_long_as_the_limit() -> None:
    server, client = build_pair(DeflateParameters())
    assert client.decompress(server.compress(b"Hello"), True, 5) == b"Hello"
    with pytest.raises(RemoteProtocolError, match="too big"):
        client.decompress(server.compress(b"Hello"), True, 4)


def test_a_limit_may_be_past_what_memory_can_hold() -> None:
    server, client = build_pair(DeflateParameters())
    assert client.decompress(server.compress(b"Hello"), True, 2**64) == b"Hello"


def test_a_limit_counts_on_past_a_final_block() -> None:
    codec = PerMessageDeflate(DeflateParameters(), is_client=False)
    final = bytes.fromhex("f348cdc9c90700")
    with pytest.raises(RemoteProtocolError, match="too big"):
        codec.decompress(final + bytes.fromhex("f248cdc9c90700"), True, 9)


@pytest.mark.parametrize("step", [1, 1000])
def test_final_blocks_may_be_some_but_not_many(step: int) -> None:
    codec = PerMessageDeflate(DeflateParameters(), is_client=False)
    for _ in range(2):
        assert codec.decompress(b"\x03\x00" * 64 + b"\x00", True, 100) == b""
    octets = b"\x03\x00" * 65
    with pytest.raises(RemoteProtocolError, match="too many final blocks") as caught:  # noqa: PT012
        for at in range(0, len(octets), step):
            codec.decompress(octets[at : at + step], False, 100)
    assert caught.value.close_code == 1007


def test_octets_that_are_not_deflate() -> None:
    codec = PerMessageDeflate(DeflateParameters(), is_client=False)
    with pytest.raises(RemoteProtocolError) as caught:
        codec.decompress(b"\x06", True, 100)
    assert caught.value.close_code == 1007
