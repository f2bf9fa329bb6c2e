from __future__ import annotations

import asyncio
import struct

import pytest

from kit import virtual_time
from kit.tab import Tab, open_tab
from upwire.demo.plasma import HEIGHT, WIDTH
from upwire.demo.stream import PICTURES_PER_S, Stream, picture


def make_stream() -> Stream:
    return Stream(now_s=asyncio.get_running_loop().time)


async def next_picture(tab: Tab) -> tuple[int, int]:
    """Return the number of the next picture, and its offset in the room."""
    push = await tab.push("publication")
    return struct.unpack_from(">I", push["data"])[0], push["offset"]


def test_a_picture_tells_its_number_and_size() -> None:
    octets = picture(7)

    assert struct.unpack_from(">IHH", octets) == (7, WIDTH, HEIGHT)
    assert len(octets) == 16 + WIDTH * HEIGHT


def test_a_page_that_keeps_up_gets_every_picture() -> None:
    async def main() -> None:
        async with open_tab(make_stream().serve) as tab:
            await tab.ask("join", room="stream", window=4)
            numbers = []
            for _ in range(2 * PICTURES_PER_S):
                number, offset = await next_picture(tab)
                await tab.post("ack", room="stream", offset=offset)
                numbers.append(number)
            took_s = asyncio.get_running_loop().time()

        assert numbers == list(range(numbers[0], numbers[0] + 2 * PICTURES_PER_S))
        assert took_s == pytest.approx(2, abs=0.1)

    virtual_time.run(main())


def test_a_slow_page_gets_fewer_pictures_and_none_that_is_old() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with open_tab(make_stream().serve) as tab:
            await tab.ask("join", room="stream", window=4)
            numbers = []
            for _ in range(20):
                number, offset = await next_picture(tab)
                await asyncio.sleep(0.5)
                numbers.append(number)
                await tab.post("ack", room="stream", offset=offset)
            now = loop.time() * PICTURES_PER_S

        # At most four pictures were on their way, half a second each.
        assert now - numbers[-1] <= 4 * 0.5 * PICTURES_PER_S + 2
        assert numbers[-1] - numbers[0] > 5 * len(numbers)

    virtual_time.run(main())


def test_without_a_window_everything_is_sent() -> None:
    async def main() -> None:
        async with open_tab(make_stream().serve) as tab:
            await tab.ask("join", room="stream", window=0)
            numbers = [(await next_picture(tab))[0] for _ in range(30)]

        assert numbers == list(range(numbers[0], numbers[0] + 30))

    virtual_time.run(main())


def test_pictures_that_are_late_are_left_out() -> None:
    times_s = iter([0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0])  # one of them took a second to paint

    async def main() -> None:
        stream = Stream(now_s=lambda: next(times_s, 10.0))
        async with open_tab(stream.serve) as tab:
            await tab.ask("join", room="stream", window=0)
            numbers = [(await next_picture(tab))[0] for _ in range(3)]

        assert numbers[1] >= PICTURES_PER_S
        assert numbers == sorted(set(numbers))

    virtual_time.run(main())
