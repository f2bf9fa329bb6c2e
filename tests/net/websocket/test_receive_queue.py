"""The bounds of what waits for recv()."""

from __future__ import annotations

from upwire.net.websocket.receive_queue import ReceiveQueue


def test_it_is_full_at_its_messages_until_half_are_gone() -> None:
    queue = ReceiveQueue(4, 1000)
    for number in range(4):
        assert not queue.is_full
        queue.put(str(number))
    assert queue.is_full
    assert queue.take() == "0"
    assert queue.is_full
    assert queue.take() == "1"
    assert not queue.is_full


def test_it_is_full_at_its_octets_until_half_are_gone() -> None:
    queue = ReceiveQueue(100, 10)
    queue.put(b"123456")
    assert not queue.is_full
    queue.put("1234")
    assert queue.is_full
    assert queue.take() == b"123456"
    assert not queue.is_full


def test_one_message_past_the_octets_is_kept_whole() -> None:
    queue = ReceiveQueue(100, 10)
    queue.put("x" * 1000)
    assert queue.is_full
    assert queue.take() == "x" * 1000
    assert not queue.is_full


def test_stopped_it_takes_what_fits_and_nothing_behind() -> None:
    queue = ReceiveQueue(2, 1000)
    queue.put("a")
    queue.stop()
    for text in ("b", "dropped"):
        queue.put(text)
        assert not queue.is_full
    assert queue.take() == "a"
    queue.put("dropped though there is room, or there would be a gap")
    assert list(queue.messages) == ["b"]


def test_stopped_when_full_it_takes_nothing() -> None:
    queue = ReceiveQueue(1, 1000)
    queue.put("a")
    queue.stop()
    assert not queue.is_full
    queue.put("b")
    assert list(queue.messages) == ["a"]
