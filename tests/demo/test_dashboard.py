from __future__ import annotations

import asyncio
from itertools import pairwise

from kit import virtual_time
from kit.tab import open_tab
from upwire.demo.dashboard import HISTORY_S, INTERVAL_S, Dashboard
from upwire.demo.metrics import MachineSample, ProxySample, Sample


class Gauge:
    """Counts how often it was read, and notes when."""

    def __init__(self) -> None:
        self.times_s: list[float] = []

    async def __call__(self) -> Sample:
        self.times_s.append(asyncio.get_running_loop().time())
        machine = MachineSample(1.0, 2, 4, 3, 0.0, 0.0)
        proxy = ProxySample(note="unknown")
        return Sample(at_ms=len(self.times_s), machine=machine, proxy=proxy)


def test_samples_come_four_times_a_second_and_not_in_a_burst_after_a_pause() -> None:
    gauge = Gauge()

    async def main() -> None:
        dashboard = Dashboard(gauge)
        for _ in range(2):
            async with open_tab(dashboard.serve) as tab:
                await tab.ask("join", room="dashboard")
                for _ in range(3):
                    await tab.push("publication")
            await asyncio.sleep(5)  # nobody looks

    virtual_time.run(main())
    pauses_s = [later - earlier for earlier, later in pairwise(gauge.times_s)]
    assert pauses_s.count(INTERVAL_S) == len(pauses_s) - 1 >= 4
    assert max(pauses_s) == 5


def test_a_page_gets_the_past_and_then_what_comes() -> None:
    async def main() -> None:
        dashboard = Dashboard(Gauge())
        async with open_tab(dashboard.serve) as first:
            await first.ask("join", room="dashboard")
            await first.push("publication")
            await first.push("publication")
            async with open_tab(dashboard.serve) as second:
                past = (await second.ask("join", room="dashboard", history=240))["publications"]
                sample = (await second.push("publication"))["data"]

        seen = [kept["data"]["at_ms"] for kept in past]
        assert seen == list(range(1, len(past) + 1))
        assert len(seen) >= 2
        assert sample["at_ms"] == len(past) + 1
        assert sample["machine"]["memory_total_octets"] == 4
        assert sample["proxy"]["note"] == "unknown"
        assert sample["proxy"]["connections"] is None

    virtual_time.run(main())


def test_a_minute_is_kept() -> None:
    async def main() -> None:
        dashboard = Dashboard(Gauge())
        async with open_tab(dashboard.serve) as tab:
            since = (await tab.ask("join", room="dashboard"))["position"]
            await asyncio.sleep(HISTORY_S + 5)
            kept = (await tab.ask("history", room="dashboard", since=since))["publications"]

        samples = HISTORY_S / INTERVAL_S
        assert samples - 1 <= len(kept) <= samples

    virtual_time.run(main())
