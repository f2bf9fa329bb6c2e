from __future__ import annotations

from upwire.rooms.events import Event, Joined, Published
from upwire.rooms.home import Position, Publication
from upwire.rooms.protocol import WINDOW_MAX
from upwire.rooms.window import Window


def encode(room: str, event: Event) -> str:
    return f"{room} {event.publication.offset if isinstance(event, Published) else 'joined'}"


def published(offset: int, epoch: str = "e") -> Published:
    return Published(Publication("x", offset=offset), Position(epoch, offset))


def tell(window: Window, *offsets: int, epoch: str = "e") -> list[str | bytes | None]:
    return [window("r", published(offset, epoch)) for offset in offsets]


def test_few_are_on_their_way_and_the_newest_of_the_rest_is_kept() -> None:
    window = Window(encode, 2)

    assert tell(window, 1, 2, 3, 4) == ["r 1", "r 2", None, None]
    assert window.acknowledge(1) == "r 4"
    assert window.acknowledge(2) is None
    assert tell(window, 5, 6) == ["r 5", None]


def test_an_acknowledgement_is_of_all_before_it() -> None:
    window = Window(encode, 3)
    tell(window, 1, 2, 3)

    assert window.acknowledge(3) is None
    assert tell(window, 4, 5, 6, 7) == ["r 4", "r 5", "r 6", None]


def test_what_is_told_makes_what_was_kept_old() -> None:
    window = Window(encode, 1)
    tell(window, 1, 2)
    assert window.acknowledge(1) == "r 2"

    window.acknowledge(2)
    assert tell(window, 3) == ["r 3"]
    assert window.acknowledge(3) is None


def test_without_a_size_nothing_is_kept_back() -> None:
    window = Window(encode, 0)

    assert None not in tell(window, *range(1, 3000))


def test_another_size_holds_at_once() -> None:
    window = Window(encode, 1)
    tell(window, 1, 2)

    assert window.resize(2) == "r 2"
    assert tell(window, 3) == [None]
    assert window.resize(0) == "r 3"
    assert window.resize(1) is None
    assert tell(window, 4) == [None]


def test_what_was_missed_does_not_take_the_place_of_what_is_newer() -> None:
    window = Window(encode, 1)

    assert tell(window, 3, 9, 4, 5) == ["r 3", None, None, None]
    assert window.acknowledge(3) == "r 9"


def test_what_is_older_than_all_on_their_way_is_not_kept() -> None:
    window = Window(encode, 1)

    assert tell(window, 9, 7, 8) == ["r 9", None, None]
    assert window.acknowledge(9) is None


def test_what_comes_again_is_counted_once() -> None:
    window = Window(encode, 2)

    assert tell(window, 9, 8, 9) == ["r 9", "r 8", "r 9"]
    assert window.acknowledge(8) is None
    assert tell(window, 10, 11) == ["r 10", None]
    assert window.acknowledge(10) == "r 11"
    assert tell(window, 10) == [None]
    assert tell(window, 12) == ["r 12"]


def test_nobody_acknowledges_what_was_told_otherwise() -> None:
    window = Window(encode, 1)
    tell(window, 3, 4)

    window.catch_up(Position("e", 4))
    assert window.release() is None
    assert tell(window, 4, 5) == [None, "r 5"]


def test_what_is_behind_what_was_told_otherwise_is_released() -> None:
    window = Window(encode, 1)
    tell(window, 3, 4)

    window.catch_up(Position("e", 3))
    window.catch_up(Position("e", 2))
    assert window.release() == "r 4"
    assert tell(window, 3) == [None]


def test_an_epoch_counts_for_itself() -> None:
    window = Window(encode, 1)
    tell(window, 500, 501)

    assert tell(window, 1, 2, epoch="f") == ["r 1", None]
    assert window.acknowledge(500) == "r 2"  # late, of the epoch before
    assert tell(window, 3, epoch="f") == [None]
    assert window.acknowledge(2) == "r 3"


def test_without_a_size_no_more_is_counted_than_any_window_holds() -> None:
    window = Window(encode, 0)
    tell(window, *range(1, WINDOW_MAX + 10))

    assert window.resize(WINDOW_MAX) is None
    assert tell(window, 5000) == [None]
    assert window.acknowledge(10) == "r 5000"


def test_other_events_pass() -> None:
    window = Window(encode, 1)
    tell(window, 1)

    assert window("r", Joined("m", {})) == "r joined"
