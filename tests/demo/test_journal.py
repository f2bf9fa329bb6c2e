from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from upwire.demo import journal as module
from upwire.demo.journal import JournalHome
from upwire.rooms import HistoryLimits, Publication

KEEP = HistoryLimits(messages=3, ttl_s=60)


async def kept(home: JournalHome, room: str = "r") -> list[str | bytes]:
    return [publication.data for publication in (await home.history(room)).publications]


def test_what_was_published_is_there_when_the_process_is_not(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "chat.journal"
        before = JournalHome(path)
        await before.open()
        for data in ("1", "2", "3", '"fóur"'):
            publication = Publication(data, "k", publisher="gone with the process")
            await before.publish("r", publication, keep=KEEP)
        await before.publish("other", Publication("5"), keep=KEEP)
        at = await before.position("r")

        after = JournalHome(path)  # nobody has closed the first: it was killed
        await after.open()
        assert await kept(after) == ["2", "3", '"fóur"']
        assert await kept(after, "other") == ["5"]
        history = await after.history("r", since=at)
        assert not history.is_complete
        assert history.position.epoch != at.epoch
        assert [(one.key, one.publisher) for one in history.publications] == [("k", "")] * 3
        await before.close()
        await after.close()
        await after.close()

    asyncio.run(main())


def test_a_publish_that_is_repeated_to_the_next_process_is_published_once(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "chat.journal"
        for _ in range(3):
            home = JournalHome(path)
            await home.open()
            await home.publish("r", Publication("1"), keep=KEEP, idempotency_key="i")
            assert await kept(home) == ["1"]
            await home.close()

    asyncio.run(main())


def test_a_line_that_was_being_written_is_left_out(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "chat.journal"
        home = JournalHome(path)
        await home.open()
        for data in "12":
            await home.publish("r", Publication(data), keep=KEEP)
        path.write_bytes(path.read_bytes()[:-3])
        await home.close()
        for _ in range(2):
            again = JournalHome(path)
            await again.open()
            assert await kept(again) == ["1"]
            await again.close()

    asyncio.run(main())


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINES_MAX", 5)

    async def main() -> None:
        path = tmp_path / "chat.journal"
        home = JournalHome(path)
        await home.open()
        sizes = []
        for number in range(23):
            await home.publish("r", Publication(str(number)), keep=KEEP)
            sizes.append(len(path.read_bytes().splitlines()))
        await home.close()
        assert max(sizes) < 10
        again = JournalHome(path)
        await again.open()
        assert await kept(again) == ["20", "21", "22"]
        await again.close()

    asyncio.run(main())
