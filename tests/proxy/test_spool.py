"""Content that waits for a slow client."""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial

import pytest

from kit.loop import in_loop
from upwire.proxy.spool import PIECE_OCTETS, Spool, SpooledRelay


def take_all(spool: Spool) -> bytes:
    return b"".join(iter(spool.take, b""))


def test_octets_keep_their_order_through_memory_and_file() -> None:
    spool = Spool(4, 100)
    for piece in (b"ab", b"cd", b"ef"):
        spool.put(piece)
    assert spool.take() == b"ab"
    spool.put(b"gh")  # behind what the file holds, though memory has room again
    assert take_all(spool) == b"cdefgh"
    spool.put(b"ij")
    assert take_all(spool) == b"ij"
    assert spool.take() == b""
    spool.close()


def test_bounds() -> None:
    spool = Spool(2, 3)
    spool.put(b"ab")
    assert not spool.is_full
    spool.put(b"cde")
    assert spool.is_full
    assert (spool.take(), spool.take()) == (b"ab", b"cde")
    assert not spool.is_full
    spool.close()


def test_without_a_file() -> None:
    spool = Spool(2, 0)
    spool.put(b"ab")
    assert spool.is_full
    assert take_all(spool) == b"ab"
    spool.close()


def test_a_file_is_read_in_pieces() -> None:
    spool = Spool(0, 1 << 20)
    spool.put(bytes(PIECE_OCTETS + 1))
    assert (len(spool.take()), len(spool.take())) == (PIECE_OCTETS, 1)
    spool.close()


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    full = partial(open, "/dev/full", "w+b")
    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    spool = Spool(0, 100)
    spool.put(b"ab")
    with pytest.raises(OSError, match="No space"):
        spool.take()
    spool.close()


class Source:
    """Gives pieces, and then the end or an error."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self.pieces = list(pieces)
        self.is_read = asyncio.Event()
        self._error = error

    async def read(self) -> bytes:
        await asyncio.sleep(0)
        if self.pieces:
            return self.pieces.pop(0)
        self.is_read.set()
        if self._error is not None:
            raise self._error
        return b""


@in_loop
async def test_the_source_is_read_while_the_client_waits() -> None:
    source = Source(b"b", b"c", b"d")
    sent: list[bytes] = []

    async def send(octets: bytes) -> None:
        await source.is_read.wait()
        sent.append(octets)

    await SpooledRelay(source.read, send, Spool(2, 100)).run(b"a")
    assert b"".join(sent) == b"abcd"


@in_loop
async def test_a_full_spool_holds_the_source() -> None:
    source = Source(b"b", b"c", b"d")
    left: list[int] = []

    async def send(_: bytes) -> None:
        for _turn in range(10):
            await asyncio.sleep(0)
        left.append(len(source.pieces))

    await SpooledRelay(source.read, send, Spool(1, 0)).run(b"a")
    assert left == [2, 1, 0, 0]


@in_loop
async def test_what_came_before_a_failure_is_sent() -> None:
    source = Source(b"b", error=ValueError("upstream"))
    sent: list[bytes] = []

    async def send(octets: bytes) -> None:
        sent.append(octets)

    with pytest.raises(ValueError, match="upstream"):
        await SpooledRelay(source.read, send, Spool(9, 0)).run(b"a")
    assert sent == [b"a", b"b"]


@pytest.mark.parametrize("error", [None, ValueError("upstream")])
@in_loop
async def test_a_client_that_fails_ends_the_reading(error: Exception | None) -> None:
    source = Source(b"b", error=error)

    async def send(_: bytes) -> None:
        await source.is_read.wait()
        raise RuntimeError("client")

    with pytest.raises(RuntimeError, match="client"):
        await SpooledRelay(source.read, send, Spool(9, 0)).run(b"a")


@in_loop
async def test_reading_is_cancelled_with_the_client() -> None:
    async def read() -> bytes:
        await asyncio.Event().wait()
        return b""

    async def send(_: bytes) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("client")

    with pytest.raises(RuntimeError, match="client"):
        await SpooledRelay(read, send, Spool(9, 0)).run(b"a")
