from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from kit import virtual_time
from kit.page import open_page
from upwire.demo import chat as module
from upwire.demo.chat import (
    BURST_MESSAGES,
    MEMBERS_MAX,
    REFUSALS_MAX,
    TEXT_LENGTH_MAX,
    Chat,
    Member,
)
from upwire.errors import RemoteProtocolError


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chat(clock: Clock) -> Chat:
    return Chat(now_s=clock, wall_s=lambda: 1_700_000_000.0)


def taken(member: Member) -> list[dict[str, Any]]:
    """Take what waits for a member."""
    messages = [json.loads(message) for message in member.outbox.messages]
    member.outbox.messages.clear()
    return messages


def kinds(member: Member) -> list[str]:
    return [message["type"] for message in taken(member)]


def say(text: str) -> str:
    return json.dumps({"type": "say", "text": text})


def test_who_comes_is_told_who_is_here_and_what_was_said(chat: Chat) -> None:
    room, ada = chat.enter("Lobby", "Ada")
    chat.hear(room, ada, say("first"))

    _, bob = chat.enter("lobby", "Bob")

    welcome = taken(bob)[0]
    said = {"id": ada.id, "name": "Ada", "text": "first", "at_ms": 1_700_000_000_000}
    assert welcome["room"] == "lobby"
    assert welcome["you"] == bob.id
    assert [member["name"] for member in welcome["members"]] == ["Ada", "Bob"]
    assert welcome["history"] == [said]


def test_the_others_hear_of_who_comes_speaks_and_goes(chat: Chat) -> None:
    room, ada = chat.enter("lobby", "Ada")
    taken(ada)

    _, bob = chat.enter("lobby", "Bob")
    chat.hear(room, bob, say("hello"))
    chat.leave(room, bob)

    assert kinds(ada) == ["joined", "rooms", "said", "left", "rooms"]


def test_rooms_do_not_hear_each_other(chat: Chat) -> None:
    _, ada = chat.enter("red", "Ada")
    blue, bob = chat.enter("blue", "Bob")
    taken(ada)

    chat.hear(blue, bob, say("psst"))

    assert taken(ada) == []


def test_all_know_which_rooms_have_people_the_fullest_first(chat: Chat) -> None:
    chat.enter("red", "")
    chat.enter("blue", "")
    _, last = chat.enter("blue", "")

    assert taken(last)[-1]["rooms"] == [["blue", 2], ["red", 1]]


def test_who_gives_no_name_is_a_guest(chat: Chat) -> None:
    _, first = chat.enter("lobby", "")
    _, second = chat.enter("lobby", "")

    assert (first.name, second.name) == ("Guest 1", "Guest 2")


def test_a_new_name_is_told_to_all(chat: Chat) -> None:
    room, ada = chat.enter("lobby", "Ada")
    taken(ada)

    chat.hear(room, ada, '{"type": "name", "name": "Countess"}')

    assert taken(ada) == [{"type": "renamed", "id": ada.id, "name": "Countess", "before": "Ada"}]


@pytest.mark.parametrize("name", ["Ada", "", "\u202e"])
def test_the_same_name_or_none_changes_nothing(chat: Chat, name: str) -> None:
    room, ada = chat.enter("lobby", "Ada")
    taken(ada)

    chat.hear(room, ada, json.dumps({"type": "name", "name": name}))

    assert ada.name == "Ada"
    assert taken(ada) == []


def test_texts_are_cut_and_cleaned_and_empty_ones_dropped(chat: Chat) -> None:
    room, ada = chat.enter("lobby", "Ada")
    taken(ada)

    chat.hear(room, ada, say("x" * 2 * TEXT_LENGTH_MAX))
    chat.hear(room, ada, say(" \u200b\n"))

    assert [message["text"] for message in taken(ada)] == ["x" * TEXT_LENGTH_MAX]


def test_history_is_bounded(chat: Chat, clock: Clock) -> None:
    room, ada = chat.enter("lobby", "Ada")
    for number in range(module.HISTORY_MESSAGES + 5):
        clock.now_s += 10
        chat.hear(room, ada, say(str(number)))

    assert len(room.history) == module.HISTORY_MESSAGES
    assert room.history[0]["text"] == "5"


def test_a_flood_is_held_back_and_said_once(chat: Chat, clock: Clock) -> None:
    room, ada = chat.enter("lobby", "Ada")
    taken(ada)

    for number in range(BURST_MESSAGES + 5):
        chat.hear(room, ada, say(str(number)))
    assert kinds(ada) == ["said"] * BURST_MESSAGES + ["notice"]

    clock.now_s += 1
    chat.hear(room, ada, say("slower"))
    assert kinds(ada) == ["said"]
    assert ada.refusals == 0


def test_who_floods_on_is_sent_away(chat: Chat) -> None:
    room, ada = chat.enter("lobby", "Ada")

    for _ in range(BURST_MESSAGES + REFUSALS_MAX):
        chat.hear(room, ada, say("buy"))

    with pytest.raises(RemoteProtocolError) as caught:
        chat.hear(room, ada, say("buy"))
    assert caught.value.close_code == 1008


@pytest.mark.parametrize("text", ['{"type": "say"}', '{"type": "say", "text": 1}', "{}"])
def test_an_unknown_message_is_refused(chat: Chat, text: str) -> None:
    room, ada = chat.enter("lobby", "Ada")

    with pytest.raises(RemoteProtocolError, match="unknown message"):
        chat.hear(room, ada, text)


def test_empty_rooms_are_forgotten_the_oldest_first(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ROOMS_MAX", 2)
    kept, ada = chat.enter("kept", "Ada")
    chat.hear(kept, ada, say("still here"))
    for name in ("one", "two"):
        room, guest = chat.enter(name, "")
        chat.hear(room, guest, say(f"in {name}"))
        chat.leave(room, guest)

    assert chat.enter("kept", "")[0] is kept
    assert [said["text"] for said in chat.enter("two", "")[0].history] == ["in two"]
    assert not chat.enter("one", "")[0].history


def test_the_chat_can_be_full(chat: Chat, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMBERS_MAX", 1)

    async def main() -> None:
        async with enter(chat, "Ada") as first, enter(chat, "Bob") as second:
            await first.next("welcome")
            await second.ws.wait_closed()

        assert (second.ws.close_code, second.ws.close_reason) == (1013, "the chat is full")

    virtual_time.run(main())


def enter(chat: Chat, name: str) -> Any:
    return open_page(chat.serve, f"/ws/chat/lobby?name={name}", path_params={"room": "lobby"})


def test_two_pages_talk(chat: Chat) -> None:
    async def main() -> None:
        async with enter(chat, "Ada") as ada:
            await ada.next("handshake")
            async with enter(chat, "Ada") as other:
                welcome = await other.next("welcome")
                await other.send("say", text="<b>hello</b>")
                said = await ada.next("said")
                await other.send("ping", at=7)
                assert (await other.next("pong"))["at"] == 7
            left = await ada.next("left")

        assert [member["name"] for member in welcome["members"]] == ["Ada", "Ada 2"]
        assert (said["name"], said["text"]) == ("Ada 2", "<b>hello</b>")
        assert left["name"] == "Ada 2"

    virtual_time.run(main())


def test_a_page_that_does_not_read_holds_up_nobody(chat: Chat, clock: Clock) -> None:
    async def main() -> None:
        async with enter(chat, "Slow") as slow:
            await slow.next("welcome")  # and reads no more
            room, ada = chat.enter("lobby", "Ada")
            heard: list[str] = []
            while "left" not in heard:
                clock.now_s += 1
                chat.hear(room, ada, say("x" * TEXT_LENGTH_MAX))
                heard = kinds(ada)
                assert "said" in heard
                await asyncio.sleep(0.1)

            assert list(room.members.values()) == [ada]

    virtual_time.run(main())


def test_a_crowd_that_comes_and_goes_at_once_fits_into_an_outbox(chat: Chat) -> None:
    _, first = chat.enter("lobby", "Ada")
    crowd = [chat.enter("lobby", "") for _ in range(MEMBERS_MAX - 1)]
    for room, member in crowd:
        chat.leave(room, member)

    assert taken(first)[-1] == {"type": "rooms", "rooms": [["lobby", 1]]}
