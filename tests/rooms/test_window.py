from __future__ import annotations

from upwire.rooms.events import Event, Joined, Published
from upwire.rooms.home import Position, Publication
from upwire.rooms.window import Window


def encode(room: str, event: Event) -> str:
    return f"{room} {event.publication.offset if isinstance(event, Published) else 'joined'}"


def published(offset: int) -> Published:
    return Published(Publication("x", offset=offset), Position("e", offset))


def tell(window: Window, *offsets: int) -> list[str | bytes | None]:
    return [window("r", published(offset)) for offset in offsets]


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


def test_other_events_pass() -> None:
    window = Window(encode, 1)
    tell(window, 1)

    assert window("r", Joined("m", {})) == "r joined"
