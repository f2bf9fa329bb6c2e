"""The load of compressed messages: literal frames, and our own server."""

from __future__ import annotations

import json
import zlib

import pytest
from bench.deflating import Compressed, document, echo_payload, prepare

from kit.echo_server import echo_server
from upwire.errors import RemoteProtocolError
from upwire.wire._codec import mask
from upwire.wire.deflate import DeflateParameters


@pytest.mark.parametrize("octets", [200, 1024, 5000])
def test_a_document_has_its_size(octets: int) -> None:
    one, other = document(1, octets), document(2, octets)
    assert len(one) == len(other) == octets
    assert json.loads(one)["id"] == 1
    assert one != other


@pytest.mark.parametrize("bits", [8, 15])
def test_what_is_sent_inflates_by_itself(bits: int) -> None:
    message = document(1, 1024)
    (frame,) = prepare([message], DeflateParameters(client_max_window_bits=bits))
    assert frame[0] == 0xC1
    payload = mask(frame[8:], frame[4:8])
    assert zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff") == message


def test_an_echo_is_one_compressed_frame() -> None:
    short, long = b"\xc1\x02ab", b"\xc1\x7e\x00\x80" + bytes(128)
    assert echo_payload(short) == b"ab"
    assert echo_payload(long) == bytes(128)
    assert [echo_payload(long[:at]) for at in range(1, len(long))] == [None] * (len(long) - 1)


@pytest.mark.parametrize("octets", [b"\x81\x02ab", b"\x41\x02ab", b"\xc1\x02abc", b"\x88\x00"])
def test_anything_else_is_refused(octets: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match=r"not one compressed frame|behind an echo"):
        echo_payload(octets)


def test_every_echo_is_inflated_and_counted() -> None:
    with echo_server() as port:
        load = Compressed(port, 3, 1024)
        while load.messages < 100:
            load.run(0.01)
        assert load.latency.count == load.messages
        load.restart()
        assert (load.messages, load.latency.count) == (0, 0)
        load.close()


def test_a_server_that_does_not_compress_is_refused() -> None:
    with (
        echo_server(deflate=False) as port,
        pytest.raises(RemoteProtocolError, match="does not compress"),
    ):
        Compressed(port, 1, 1024)
