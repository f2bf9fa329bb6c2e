"""What many members have missed is made once, and not kept for ever."""

from __future__ import annotations

import asyncio

from kit.virtual_time import run
from upwire.net.websocket import PreparedMessage
from upwire.rooms.events import Published
from upwire.rooms.home import History, Position, Publication
from upwire.rooms.missed import KEPT_S, MissedMessages


class Maker:
    """Makes messages, of no publication of 3, and notes of which."""

    def __init__(self, limit: int = 10) -> None:
        self.made: list[Position] = []
        self.missed = MissedMessages(self._make, limit)

    def _make(self, published: Published) -> PreparedMessage | None:
        self.made.append(published.position)
        data = published.publication.data
        return None if data == "3" else PreparedMessage(data)

    def recover(self, *offsets: int, epoch: str = "e") -> list[str | bytes]:
        publications = tuple(Publication(str(offset), offset=offset) for offset in offsets)
        missed = self.missed.of(History(Position(epoch, 9), publications))
        assert [str(position.offset) for _, position in missed] == [m.data for m, _ in missed]
        return [message.data for message, _ in missed]

    def made_offsets(self) -> list[int]:
        made = [position.offset for position in self.made]
        self.made.clear()
        return made


def test_each_message_is_made_once() -> None:
    async def main() -> None:
        maker = Maker()
        assert maker.recover(2, 3, 4) == ["2", "4"]
        assert maker.recover(1, 2, 3, 4, 5) == ["1", "2", "4", "5"]
        assert maker.recover() == []
        assert maker.made_offsets() == [2, 3, 4, 1, 5]

    run(main())


def test_messages_go_after_a_while() -> None:
    async def main() -> None:
        maker = Maker()
        maker.recover(1)
        await asyncio.sleep(KEPT_S - 1)
        maker.recover(1, 2)
        assert maker.made_offsets() == [1, 2]
        await asyncio.sleep(2)
        maker.recover(1, 2)
        assert maker.made_offsets() == [1, 2]

    run(main())


def test_the_latest_are_kept() -> None:
    async def main() -> None:
        maker = Maker(limit=2)
        assert maker.recover(1, 2, 4) == ["1", "2", "4"]
        assert maker.recover(1, 2, 4) == ["1", "2", "4"]
        assert maker.made_offsets() == [1, 2, 4, 1]

    run(main())


def test_another_epoch_has_other_messages() -> None:
    async def main() -> None:
        maker = Maker()
        maker.recover(1)
        maker.recover(1, epoch="f")
        assert maker.made == [Position("e", 1), Position("f", 1)]

    run(main())
