from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kit import virtual_time
from kit.tab import Tab, open_tab
from upwire.demo.chat import BURST_MESSAGES, HISTORY, MESSAGES_PER_S, TEXT_LENGTH_MAX, Chat

AT_MS = 1_700_000_000_000


def make_chat() -> Chat:
    return Chat(wall_s=lambda: AT_MS / 1000)


async def enter(tab: Tab, name: object = "", room: str = "chat/lobby") -> dict[str, Any]:
    """Join a room; return what the tab is there, and what it was told."""
    told = await tab.ask("join", room=room, info={"name": name}, presence=True, history=50)
    return told


def names(told: dict[str, Any]) -> list[str]:
    return [info["name"] for info in told["presence"].values()]


async def say(tab: Tab, text: object, line_id: object = "1", room: str = "chat/lobby") -> None:
    await tab.ask("publish", room=room, data={"id": line_id, "text": text})


def test_who_comes_is_told_who_is_here_and_what_was_said() -> None:
    async def main() -> None:
        chat = make_chat()
        async with open_tab(chat.serve) as ada, open_tab(chat.serve) as bob:
            await enter(ada, "Ada")
            await say(ada, "<b>first</b>")
            heard = [(await ada.push("publication"))["data"]["text"]]
            told = await enter(bob, "Bob")
            came = await ada.push("joined")
            await say(bob, "second", "2")
            heard.append((await ada.push("publication"))["data"]["text"])

        assert sorted(names(told)) == ["Ada", "Bob"]
        line = {"id": "1", "name": "Ada", "text": "<b>first</b>", "at_ms": AT_MS}
        assert [kept["data"] for kept in told["publications"]] == [line]
        assert came["info"]["name"] == "Bob"
        assert heard == ["<b>first</b>", "second"]

    virtual_time.run(main())


def test_names_are_kept_apart_and_guests_get_one() -> None:
    async def main() -> None:
        chat = make_chat()
        async with (
            open_tab(chat.serve) as first,
            open_tab(chat.serve) as second,
            open_tab(chat.serve) as third,
            open_tab(chat.serve) as fourth,
        ):
            await enter(first, "Ada")
            await enter(second, "Ada")
            await enter(third, "\u202e")
            told = await enter(fourth, {"no": "name"})

        shown = sorted(names(told))
        assert shown[:2] == ["Ada", "Ada 2"]
        assert all(name.startswith("Guest ") for name in shown[2:])
        assert len(set(shown)) == 4

    virtual_time.run(main())


def test_a_tab_that_comes_back_has_its_name() -> None:
    async def main() -> None:
        chat = make_chat()
        info = {"name": "Ada", "token": "secret"}
        async with open_tab(chat.serve) as dead, open_tab(chat.serve) as back:
            await dead.ask("join", room="chat/lobby", info=info)
            told = await back.ask("join", room="chat/lobby", info=info, presence=True)

        first, second = told["presence"].values()
        assert first == second
        assert first["name"] == "Ada"
        assert "secret" not in first["tab"]

    virtual_time.run(main())


def test_a_new_name_is_told_to_all_and_ones_own_is_free() -> None:
    async def main() -> None:
        chat = make_chat()
        async with open_tab(chat.serve) as ada, open_tab(chat.serve) as bob:
            await enter(ada, "Ada")
            await enter(bob, "Bob")
            await ada.push("joined")
            for name, shown in (("Bob", "Bob"), ("Ada", "Ada 2"), ("Robert", "Robert")):
                told = await bob.ask("update", room="chat/lobby", info={"name": name})
                assert told["info"]["name"] == shown
                assert (await ada.push("joined"))["info"]["name"] == shown
            await say(bob, "hello")
            assert (await ada.push("publication"))["data"]["name"] == "Robert"

    virtual_time.run(main())


def test_the_hall_shows_who_talks_where() -> None:
    async def main() -> None:
        chat = make_chat()
        async with open_tab(chat.serve) as ada, open_tab(chat.serve) as bob:
            await ada.ask("join", room="chat", info={"room": "red"}, presence=True)
            told = await bob.ask("join", room="chat", info={"room": "No such!"}, presence=True)
            rooms = [info["room"] for info in told["presence"].values()]
            assert rooms == ["red", "no-such"]
            assert (await ada.push("joined"))["info"]["room"] == "no-such"
            line = {"id": "1", "text": "x"}
            assert await ada.refused("publish", room="chat", data=line) == "forbidden"

    virtual_time.run(main())


@pytest.mark.parametrize(
    "room", ["chat/", "chat/Lobby", "chat/a b", "chat/..", "other", "chat/a/b"]
)
def test_rooms_have_clean_names(room: str) -> None:
    async def main() -> None:
        async with open_tab(make_chat().serve) as tab:
            assert await tab.refused("join", room=room) == "no_room"

    virtual_time.run(main())


def test_rooms_do_not_hear_each_other() -> None:
    async def main() -> None:
        chat = make_chat()
        async with open_tab(chat.serve) as ada, open_tab(chat.serve) as bob:
            await enter(ada, "Ada", "chat/red")
            await enter(bob, "Ada", "chat/blue")
            await say(bob, "psst", room="chat/blue")
            await say(ada, "alone", room="chat/red")
            assert (await ada.push("publication"))["data"]["text"] == "alone"

    virtual_time.run(main())


def test_texts_are_cut_and_cleaned() -> None:
    async def main() -> None:
        async with open_tab(make_chat().serve) as ada:
            await enter(ada)
            await say(ada, "x\n\u202e" * TEXT_LENGTH_MAX)
            text = (await ada.push("publication"))["data"]["text"]

        assert text == ("x " * TEXT_LENGTH_MAX)[:TEXT_LENGTH_MAX].rstrip()

    virtual_time.run(main())


@pytest.mark.parametrize(
    "data",
    [
        {"text": "x"},
        {"id": 1, "text": "x"},
        {"id": "", "text": "x"},
        {"id": "x" * 65, "text": "x"},
        {"id": "1"},
        {"id": "1", "text": ["x"]},
        {"id": "1", "text": " \u200b\n"},
        "x",
        None,
    ],
)
def test_what_is_no_line_is_refused(data: object) -> None:
    async def main() -> None:
        async with open_tab(make_chat().serve) as ada:
            await enter(ada)
            assert await ada.refused("publish", room="chat/lobby", data=data) == "no_line"

    virtual_time.run(main())


def test_who_says_much_is_slowed_and_loses_nothing() -> None:
    lines = BURST_MESSAGES + 10

    async def main() -> None:
        chat = make_chat()
        async with open_tab(chat.serve) as ada, open_tab(chat.serve) as bob:
            await enter(bob)
            await enter(ada)
            for number in range(lines):
                await ada.post(
                    "publish", room="chat/lobby", data={"id": str(number), "text": str(number)}
                )
            heard = [(await bob.push("publication"))["data"]["text"] for _ in range(lines)]
            took_s = asyncio.get_running_loop().time()

        assert heard == [str(number) for number in range(lines)]
        assert took_s == pytest.approx(10 / MESSAGES_PER_S, abs=0.1)

    virtual_time.run(main())


def test_history_is_bounded() -> None:
    async def main() -> None:
        chat = make_chat()
        async with open_tab(chat.serve) as ada, open_tab(chat.serve) as late:
            await enter(ada)
            for number in range(HISTORY.messages + 5):
                await say(ada, str(number), str(number))
            kept = (await enter(late))["publications"]

        assert len(kept) == HISTORY.messages
        assert kept[0]["data"]["text"] == "5"

    virtual_time.run(main())
