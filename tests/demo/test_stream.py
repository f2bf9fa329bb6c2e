from __future__ import annotations

import asyncio
import struct

import pytest

from kit import virtual_time
from kit.page import open_page
from upwire.demo.plasma import HEIGHT, WIDTH
from upwire.demo.stream import PICTURES_PER_S, WINDOW_MAX, Pacer, Stream, picture


def number_of(octets: bytes) -> int:
    number: int = struct.unpack_from(">I", octets)[0]
    return number


def make_stream() -> Stream:
    return Stream(now_s=asyncio.get_running_loop().time)


def test_a_picture_tells_its_number_and_size() -> None:
    octets = picture(7)

    assert struct.unpack_from(">IHH", octets) == (7, WIDTH, HEIGHT)
    assert len(octets) == 16 + WIDTH * HEIGHT
    assert picture(7) is octets


def test_a_window_limits_what_is_on_its_way() -> None:
    pacer = Pacer(window=2)
    pacer.sent(1)
    assert pacer.can_send()
    pacer.sent(5)
    assert not pacer.can_send()

    pacer.shown(1)
    assert pacer.can_send()
    pacer.sent(6)
    pacer.shown(6)  # 5 was shown before it
    pacer.sent(7)
    assert pacer.can_send()


def test_without_a_window_nothing_is_limited() -> None:
    pacer = Pacer(window=0)
    for number in range(10 * WINDOW_MAX):
        pacer.sent(number)
        assert pacer.can_send()


def test_a_page_that_keeps_up_gets_every_picture() -> None:
    async def main() -> None:
        async with open_page(make_stream().serve) as page:
            numbers = []
            for _ in range(2 * PICTURES_PER_S):
                numbers.append(number_of(await page.next_picture()))
                await page.send("shown", number=numbers[-1])
            took_s = asyncio.get_running_loop().time()

        assert numbers == list(range(numbers[0], numbers[0] + 2 * PICTURES_PER_S))
        assert took_s == pytest.approx(2, abs=0.1)

    virtual_time.run(main())


def test_a_slow_page_gets_fewer_pictures_and_none_that_is_old() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with open_page(make_stream().serve) as page:
            numbers = []
            for _ in range(20):
                number = number_of(await page.next_picture())
                await asyncio.sleep(0.5)
                numbers.append(number)
                await page.send("shown", number=number)
            now = loop.time() * PICTURES_PER_S

        # At most four pictures were on their way, half a second each.
        assert now - numbers[-1] <= 4 * 0.5 * PICTURES_PER_S + 1
        assert numbers[-1] - numbers[0] > 5 * len(numbers)

    virtual_time.run(main())


def test_nothing_is_sent_while_a_page_shows_nothing() -> None:
    async def main() -> None:
        async with open_page(make_stream().serve) as page:
            numbers = [number_of(await page.next_picture()) for _ in range(4)]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(10):
                    await page.next_picture()
            await page.send("shown", number=numbers[0])
            late = number_of(await page.next_picture())

        assert late >= 10 * PICTURES_PER_S

    virtual_time.run(main())


def test_the_window_can_be_lifted() -> None:
    async def main() -> None:
        async with open_page(make_stream().serve) as page:
            await page.send("window", pictures=0)
            assert (await page.next("window"))["pictures"] == 0
            for _ in range(10):
                await page.next_picture()

    virtual_time.run(main())


def test_a_ping_is_answered_between_pictures() -> None:
    async def main() -> None:
        async with open_page(make_stream().serve) as page:
            await page.send("ping", at=3)
            assert (await page.next("pong"))["at"] == 3

    virtual_time.run(main())


@pytest.mark.parametrize(
    "fields", [{"pictures": WINDOW_MAX + 1}, {"pictures": -1}, {"pictures": "4"}, {}]
)
def test_another_window_is_refused(fields: dict[str, object]) -> None:
    async def main() -> None:
        async with open_page(make_stream().serve) as page:
            await page.send("window", **fields)
            await page.ws.wait_closed()

        assert page.ws.close_code == 1008

    virtual_time.run(main())
