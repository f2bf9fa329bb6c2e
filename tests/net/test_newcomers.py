from __future__ import annotations

import asyncio
import math

from kit import virtual_time
from kit.memory_stream import memory_pair
from upwire.net.newcomers import Newcomers
from upwire.net.stream import Stream


class Host:
    """Writes down who came, with what, and how many have gone."""

    def __init__(self, silence_s: float = math.inf) -> None:
        self.met: list[tuple[Stream, bytes]] = []
        self.losses = 0
        self.newcomers = Newcomers(self._meet, self._lose, silence_s)

    def _meet(self, stream: Stream, octets: bytes) -> None:
        self.met.append((stream, octets))

    def _lose(self) -> None:
        self.losses += 1


async def end(*streams: Stream) -> None:
    for stream in streams:
        stream.abort()
        await stream.wait_closed()


def test_the_first_octets_end_the_wait() -> None:
    async def main() -> None:
        host = Host()
        near, far = memory_pair()
        host.newcomers.add(near)
        assert len(host.newcomers) == 1
        far.write(b"GET")
        await asyncio.sleep(0)
        assert host.met == [(near, b"GET")]
        assert len(host.newcomers) == 0
        far.write(b" /")
        assert await near.read() == b" /"
        await end(near, far)
        assert host.losses == 0

    asyncio.run(main())


def test_one_that_ends_or_is_lost_before_is_forgotten() -> None:
    async def main() -> None:
        host = Host()
        ending, one = memory_pair()
        lost, two = memory_pair()
        host.newcomers.add(ending)
        host.newcomers.add(lost)
        one.write_eof()
        lost.abort()
        await ending.wait_closed()
        await lost.wait_closed()
        assert (len(host.newcomers), host.losses, host.met) == (0, 2, [])
        await end(one, two)

    asyncio.run(main())


def test_those_that_are_silent_are_closed_each_in_its_time() -> None:
    async def main() -> None:
        host = Host(silence_s=10.0)
        first, one = memory_pair()
        second, two = memory_pair()
        host.newcomers.add(first)
        await asyncio.sleep(4)
        host.newcomers.add(second)
        await asyncio.sleep(5.9)
        assert not first.is_closed
        await asyncio.sleep(0.2)
        assert first.is_closed
        assert not second.is_closed
        await asyncio.sleep(4)
        assert second.is_closed
        assert (len(host.newcomers), host.losses) == (0, 2)
        third, three = memory_pair()
        host.newcomers.add(third)  # the clock runs for it again
        await asyncio.sleep(10.1)
        assert third.is_closed
        await end(one, two, three)

    virtual_time.run(main())


def test_those_that_wait_are_given_back() -> None:
    async def main() -> None:
        host = Host(silence_s=10.0)
        near, far = memory_pair()
        host.newcomers.add(near)
        assert host.newcomers.leave() == [near]
        assert host.newcomers.leave() == []
        far.write(b"late")
        assert await near.read() == b"late"
        await asyncio.sleep(20)
        assert not near.is_closed
        await end(near, far)

    virtual_time.run(main())
