from __future__ import annotations

import asyncio

from kit import virtual_time
from kit.page import open_page
from upwire.demo.dashboard import HISTORY_SAMPLES, INTERVAL_S, Dashboard, Feed
from upwire.demo.metrics import MachineSample, ProxySample, Sample


class Gauge:
    """Counts how often it was read."""

    def __init__(self) -> None:
        self.reads = 0

    async def __call__(self) -> Sample:
        self.reads += 1
        machine = MachineSample(1.0, 2, 4, 3, 0.0, 0.0)
        return Sample(at_ms=self.reads, machine=machine, proxy=ProxySample(note="unknown"))


async def number_after(feed: Feed, after: int) -> int:
    return (await feed.next(after))[0]


def test_a_sample_is_taken_once_for_all_who_wait() -> None:
    gauge = Gauge()

    async def main() -> None:
        feed = Feed(gauge, interval_s=0)
        numbers = await asyncio.gather(*(number_after(feed, 0) for _ in range(5)))
        assert numbers == [1] * 5
        assert await number_after(feed, 0) == 1
        assert await number_after(feed, 1) == 2

    virtual_time.run(main())
    assert gauge.reads == 2


def test_who_goes_while_waiting_leaves_it_to_the_next() -> None:
    async def main() -> None:
        feed = Feed(Gauge())
        await feed.next(0)
        first = asyncio.create_task(number_after(feed, 1))
        second = asyncio.create_task(number_after(feed, 1))
        await virtual_time.settle()
        first.cancel()
        assert await second == 2
        assert first.cancelled()

    virtual_time.run(main())


def test_samples_come_four_times_a_second_and_not_in_a_burst_after_a_pause() -> None:
    times: list[float] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        feed = Feed(Gauge())
        await feed.next(0)
        await asyncio.sleep(5 * INTERVAL_S)  # nobody looks
        for number in range(1, 4):
            await feed.next(number)
            times.append(loop.time())

    virtual_time.run(main())
    assert times == [5 * INTERVAL_S, 6 * INTERVAL_S, 7 * INTERVAL_S]


def test_history_is_bounded() -> None:
    async def main() -> None:
        feed = Feed(Gauge(), interval_s=0)
        for number in range(HISTORY_SAMPLES + 10):
            await feed.next(number)

        assert len(feed.history) == HISTORY_SAMPLES

    virtual_time.run(main())


def test_a_page_gets_the_past_and_then_what_comes() -> None:
    async def main() -> None:
        feed = Feed(Gauge(), interval_s=0)
        await feed.next(0)
        async with open_page(Dashboard(feed).serve) as page:
            history = await page.next("history")
            sample = await page.next("sample")
            await page.send("ping", at=5)
            assert (await page.next("pong"))["at"] == 5

        assert [past["at_ms"] for past in history["samples"]] == [1]
        assert sample["at_ms"] == 2
        assert sample["machine"]["memory_total_octets"] == 4
        assert sample["proxy"]["note"] == "unknown"
        assert sample["proxy"]["connections"] is None

    virtual_time.run(main())


def test_another_message_than_a_ping_is_refused() -> None:
    async def main() -> None:
        async with open_page(Dashboard(Feed(Gauge(), interval_s=0)).serve) as page:
            await page.send("say", text="hello")
            await page.ws.wait_closed()

        assert page.ws.close_code == 1008

    virtual_time.run(main())
