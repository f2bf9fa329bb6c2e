from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from kit import virtual_time
from kit.rooms import Guest
from kit.tab import Tab, open_tab
from upwire.errors import ConnectionClosed, HomeUnreachable
from upwire.net.websocket import WebSocket, WebSocketOptions
from upwire.rooms import session
from upwire.rooms.browser_options import BrowserLimits
from upwire.rooms.browsers import browser_handler
from upwire.rooms.home import History, HistoryLimits, Info, Position, Publication
from upwire.rooms.limits import OutboxLimits, RoomLimits
from upwire.rooms.memory import MemoryHome
from upwire.rooms.permissions import Action
from upwire.rooms.protocol import CommandRefused, encode_publication
from upwire.rooms.room import Room
from upwire.rooms.rooms import Rooms

MANY = 500


@asynccontextmanager
async def tab(rooms: Rooms, *, is_connected: bool = True, **options: Any) -> AsyncIterator[Tab]:
    async with open_tab(browser_handler(rooms, **options), is_connected=is_connected) as opened:
        yield opened


def test_connect_tells_who_we_are_and_how_to_ping() -> None:
    async def main() -> None:
        limits = BrowserLimits(ping_interval_s=2, ping_timeout_s=1.5)
        options: dict[str, Any] = {"limits": limits, "welcome": lambda ws: {"at": ws.request.path}}
        async with Rooms() as rooms, tab(rooms, is_connected=False, **options) as ada:
            told = await ada.ask("connect", version=1)
            assert await ada.ask("ping") == {}

        assert told.pop("client")
        assert told == {
            "version": 1,
            "ping_interval_ms": 2000,
            "ping_timeout_ms": 1500,
            "welcome": {"at": "/ws"},
        }

    virtual_time.run(main())


def test_connect_comes_first_and_once() -> None:
    async def main() -> None:
        async with Rooms() as rooms, tab(rooms, is_connected=False) as ada:
            assert await ada.refused("join", room="r") == "bad_request"
            assert await ada.refused("connect", version=2) == "version"
            told = await ada.ask("connect", version=1)
            assert told["welcome"] is None
            assert await ada.refused("connect", version=1) == "bad_request"

    virtual_time.run(main())


def test_two_browsers_talk() -> None:
    async def main() -> None:
        async with Rooms() as rooms, tab(rooms) as ada, tab(rooms) as bob:
            joined = await ada.ask("join", room="r", info={"name": "Ada"}, presence=True)
            (me,) = joined["presence"]
            assert joined["presence"] == {me: {"name": "Ada"}}
            assert joined["recovered"] is None
            assert joined["publications"] == []

            await bob.ask("join", room="r", info={"name": "Bob"})
            position = await bob.ask("publish", room="r", data={"text": "hé"}, key="k")
            assert position == {**joined["position"], "offset": 1}
            came = await ada.push("joined")
            heard = await ada.push("publication")
            assert came["info"] == {"name": "Bob"}
            assert heard.pop("publisher") == came["member"]
            assert heard == {
                "push": "publication",
                "room": "r",
                "offset": 1,
                "key": "k",
                "data": {"text": "hé"},
            }
            assert (await bob.push("publication"))["data"] == {"text": "hé"}

            members = (await bob.ask("presence", room="r"))["members"]
            assert sorted(info["name"] for info in members.values()) == ["Ada", "Bob"]
            await bob.ask("leave", room="r")
            assert (await ada.push("left"))["member"] == came["member"]
            assert await bob.refused("presence", room="r") == "not_joined"

    virtual_time.run(main())


def test_who_goes_has_left_all_rooms() -> None:
    async def main() -> None:
        async with Rooms() as rooms, tab(rooms) as ada:
            await ada.ask("join", room="r", presence=True)
            async with tab(rooms) as bob:
                await bob.ask("join", room="r")
                await bob.ask("join", room="other")
                bob.ws.abort()
            assert (await ada.push("left"))["room"] == "r"
            assert await rooms.presence("other") == {}

    virtual_time.run(main())


def test_who_did_not_ask_is_told_nothing_of_others() -> None:
    async def main() -> None:
        async with Rooms() as rooms, tab(rooms) as ada:
            assert "presence" not in await ada.ask("join", room="r")
            async with tab(rooms) as bob:
                await bob.ask("join", room="r")
            await rooms.publish("r", "1")
            await ada.push("publication")
            assert ada.pushes == []

    virtual_time.run(main())


def test_another_info_is_shown() -> None:
    async def main() -> None:
        async with Rooms() as rooms, tab(rooms) as ada, tab(rooms) as bob:
            await ada.ask("join", room="r", presence=True)
            await bob.ask("join", room="r", info={"name": "Bob"})
            told = await bob.ask("update", room="r", info={"name": "Robert"})
            assert told == {"info": {"name": "Robert"}}
            first, second = await ada.push("joined"), await ada.push("joined")
            assert first["member"] == second["member"]
            assert second["info"] == {"name": "Robert"}

    virtual_time.run(main())


def test_what_was_missed_comes_behind_the_reply() -> None:
    async def main() -> None:
        async with Rooms() as rooms:
            async with tab(rooms) as ada:
                position = (await ada.ask("join", room="r"))["position"]
                await ada.ask("publish", room="r", data=1)
                since = {**position, "offset": (await ada.push("publication"))["offset"]}
            for data in ("2", "three", b"\n4"):
                await rooms.publish("r", data)
            async with tab(rooms) as ada:
                reply = await ada.ask("join", room="r", since=since)
                assert (reply["recovered"], reply["position"]) == (True, since)
                assert ada.pushes == []
                await rooms.publish("r", "5")
                heard = [(await ada.push("publication"))["data"] for _ in range(4)]

        assert heard == [2, "three", b"\n4", 5]

    virtual_time.run(main())


def test_what_cannot_be_recovered_is_told_with_what_is_left() -> None:
    async def main() -> None:
        limits = RoomLimits(history=HistoryLimits(messages=2))
        async with Rooms(limits=limits) as rooms:
            for data in ("1", "2", b"3"):
                await rooms.publish("r", data)
            async with tab(rooms) as ada:
                reply = await ada.ask("join", room="r", since={"epoch": "of old", "offset": 7})

        assert reply["recovered"] is False
        assert reply["publications"] == [
            {"offset": 2, "data": 2},
            {"offset": 3, "base64": "Mw=="},
        ]
        assert reply["position"]["offset"] == 3

    virtual_time.run(main())


def test_who_may_not_read_history_gets_none_by_failing_to_recover() -> None:
    old = {"epoch": "of old", "offset": 7}

    async def main() -> None:
        rooms = Rooms(may=lambda action, *_: action is not Action.HISTORY)
        async with rooms, tab(rooms) as ada:
            await rooms.publish("r", "1")
            joined = await ada.ask("join", room="r", since=old)
            recovered = await ada.ask("recover", room="r", since=old)
            assert await ada.refused("history", room="r") == "forbidden"

        for reply in (joined, recovered):
            assert (reply["recovered"], reply["complete"]) == (False, False)
            assert reply["publications"] == []
            assert reply["position"]["offset"] == 1

    virtual_time.run(main())


def test_a_push_is_made_once_for_all_members(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def count(room: str, publication: Publication) -> str | bytes:
        made.append(publication.offset)
        return encode_publication(room, publication)

    monkeypatch.setattr(session, "encode_publication", count)

    async def main() -> None:
        async with Rooms() as rooms, AsyncExitStack() as stack:
            tabs = [await stack.enter_async_context(tab(rooms)) for _ in range(8)]
            for number, one in enumerate(tabs):
                await one.ask("join", room="r", presence=number % 2 == 0)
            await rooms.publish("r", "1")
            for one in tabs:
                assert (await one.push("publication"))["data"] == 1

    virtual_time.run(main())
    assert made == [1, 1]  # for those with presence, and for those without


def test_history_can_be_asked_for() -> None:
    async def main() -> None:
        async with Rooms() as rooms, tab(rooms) as ada:
            for data in "1234":
                await rooms.publish("r", data)
            reply = await ada.ask("join", room="r", history=2)
            assert [kept["data"] for kept in reply["publications"]] == [3, 4]
            assert reply["recovered"] is None
            since = {**reply["position"], "offset": 1}
            history = await ada.ask("history", room="r", since=since, limit=2)
            assert [kept["data"] for kept in history["publications"]] == [2, 3]
            assert history["complete"] is False

    virtual_time.run(main())


def test_a_repeated_publish_is_published_once() -> None:
    async def main() -> None:
        async with Rooms() as rooms, tab(rooms) as ada:
            await ada.ask("join", room="r")
            first, again = [
                await ada.ask("publish", room="r", data="x", idempotency_key="k") for _ in range(2)
            ]
            assert first == again
            assert len((await rooms.history("r")).publications) == 1

    virtual_time.run(main())


def test_publishes_keep_their_order_and_pings_pass_them() -> None:
    gate = asyncio.Event()

    async def wait(room: Room, data: object) -> object:
        await gate.wait()
        return [data]

    async def main() -> None:
        async with Rooms() as rooms, tab(rooms, prepare=wait) as ada:
            await ada.ask("join", room="r")
            for data in range(5):
                await ada.post("publish", room="r", data=data)
            await ada.ask("ping")
            gate.set()
            heard = [(await ada.push("publication"))["data"] for _ in range(5)]

        assert heard == [[0], [1], [2], [3], [4]]

    virtual_time.run(main())


def test_where_so_many_commands_wait_nothing_more_is_read() -> None:
    gate = asyncio.Event()

    async def wait(room: Room, data: object) -> object:
        await gate.wait()
        return data

    async def main() -> None:
        limits = BrowserLimits(commands=2, faults=0)
        async with Rooms() as rooms, tab(rooms, prepare=wait, limits=limits) as ada:
            await ada.ask("join", room="r")
            for data in range(20):
                await ada.post("publish", room="r", data=data)
            ping = await ada.post("ping")
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await ada.read()

            gate.set()
            assert (await ada.reply_to(ping))["result"] == {}
            heard = [(await ada.push("publication"))["data"] for _ in range(20)]

        assert heard == list(range(20))

    virtual_time.run(main())


def test_one_that_goes_leaves_all_rooms_at_once() -> None:
    class SlowHome(MemoryHome):
        async def leave(self, room: str, member_id: str) -> None:
            await asyncio.sleep(5)
            await super().leave(room, member_id)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        async with Rooms(SlowHome()) as rooms:
            async with tab(rooms) as ada:
                for number in range(20):
                    await ada.ask("join", room=f"r{number}")
                began_s = loop.time()
            assert loop.time() - began_s == pytest.approx(5)
            assert rooms.metrics().members == 0

    virtual_time.run(main())


def test_one_that_is_cancelled_twice_leaves_all_rooms() -> None:
    async def main() -> None:
        guest = Guest(WebSocketOptions(ping_interval_s=None))
        async with Rooms() as rooms:
            serving = asyncio.ensure_future(browser_handler(rooms)(guest.ws))
            await guest.client.send('{"id": 1, "method": "connect", "version": 1}')
            for number in range(3):
                join = {"id": 2 + number, "method": "join", "room": f"r{number}"}
                await guest.client.send(json.dumps(join))
            await virtual_time.settle()
            assert rooms.metrics().members == 3

            serving.cancel()
            await asyncio.sleep(0)
            assert serving.cancel()  # it has not come to leave any of them
            await asyncio.wait([serving])
            await virtual_time.settle()
            assert rooms.metrics().members == 0

    virtual_time.run(main())


def test_one_that_goes_while_many_commands_wait_is_let_go() -> None:
    gate = asyncio.Event()

    async def wait(room: Room, data: object) -> object:
        await gate.wait()
        return data

    async def main() -> None:
        limits = BrowserLimits(commands=2)
        async with Rooms() as rooms, tab(rooms, prepare=wait, limits=limits) as ada:
            await ada.ask("join", room="r")
            for data in range(20):
                await ada.post("publish", room="r", data=data)
            await virtual_time.settle()
            ada.ws.abort()
            gate.set()
            await virtual_time.settle(500)
            assert rooms.metrics().members == 0

    virtual_time.run(main())


@pytest.mark.parametrize("data", ["", "[]", "{", '{"id": 1}', b'{"id": 1, "method": "ping"}'])
def test_what_is_no_command_is_refused_and_the_session_goes_on(data: str | bytes) -> None:
    async def main() -> None:
        async with Rooms() as rooms, tab(rooms) as ada:
            await ada.ws.send(data)
            error = json.loads(str(await ada.ws.recv()))
            assert error["error"]["code"] in ("bad_request", "unknown_method")
            await ada.ask("ping")

    virtual_time.run(main())


def test_who_goes_on_being_wrong_is_sent_away_alone() -> None:
    async def main() -> None:
        limits = BrowserLimits(faults=3)
        async with Rooms() as rooms, tab(rooms, limits=limits) as ada, tab(rooms) as bob:
            for _ in range(3):
                await ada.ws.send("x")
            await ada.ask("ping")
            for _ in range(4):
                await ada.ws.send("x")
            await ada.ws.wait_closed()
            await bob.ask("ping")

        assert (ada.ws.close_code, ada.ws.close_reason) == (1008, "too many wrong commands")

    virtual_time.run(main())


def test_a_command_has_a_size() -> None:
    async def main() -> None:
        limits = BrowserLimits(message_octets=200)
        async with Rooms() as rooms, tab(rooms, limits=limits) as ada:
            await ada.post("publish", room="r", data="x" * 200)
            assert (await ada.reply_to(None))["error"]["code"] == "too_large"

    virtual_time.run(main())


@pytest.mark.parametrize(
    ("code", "method", "fields"),
    [
        ("already_joined", "join", {"room": "r"}),
        ("bad_request", "join", {"room": ""}),
        ("bad_request", "join", {"room": "a\x00b"}),
        ("forbidden", "join", {"room": "secret"}),
        ("limit", "join", {"room": "third"}),
        ("not_joined", "publish", {"room": "elsewhere", "data": 1}),
        ("not_joined", "history", {"room": "elsewhere"}),
        ("not_joined", "update", {"room": "elsewhere"}),
        ("not_joined", "leave", {"room": "elsewhere"}),
        ("not_joined", "ack", {"room": "elsewhere", "offset": 1}),
        ("not_joined", "recover", {"room": "elsewhere", "since": {"epoch": "e", "offset": 0}}),
        ("bad_request", "ack", {"room": "r", "offset": 1}),
        ("bad_request", "update", {"room": "r", "window": 1}),
        ("too_large", "publish", {"room": "r", "data": "x" * 100}),
        ("forbidden", "presence", {"room": "r"}),
    ],
)
def test_what_is_not_allowed_is_refused(code: str, method: str, fields: dict[str, Any]) -> None:
    def may(action: Action, room: str, ws: WebSocket, info: Info) -> bool:
        return action is not Action.PRESENCE and room != "secret"

    async def main() -> None:
        rooms = Rooms(may=may, limits=RoomLimits(message_octets=50), rooms_per_member=2)
        async with rooms, tab(rooms) as ada:
            await ada.ask("join", room="r")
            await ada.ask("join", room="second")
            assert await ada.refused(method, **fields) == code
            await ada.ask("publish", room="r", data=1)

    virtual_time.run(main())


def test_a_join_that_cannot_be_answered_is_none() -> None:
    async def main() -> None:
        rooms = Rooms(may=lambda action, *_: action is not Action.PRESENCE)
        async with rooms, tab(rooms) as ada:
            assert await ada.refused("join", room="r", presence=True) == "forbidden"
            assert await rooms.presence("r") == {}
            await ada.ask("join", room="r")

    virtual_time.run(main())


def test_too_fast_is_told() -> None:
    async def main() -> None:
        limits = RoomLimits(publishes_per_s=1, publish_burst=2)
        async with Rooms(limits=limits) as rooms, tab(rooms) as ada:
            await ada.ask("join", room="r")
            await ada.ask("publish", room="r", data=1)
            await ada.ask("publish", room="r", data=2)
            assert await ada.refused("publish", room="r", data=3) == "too_fast"

    virtual_time.run(main())


class FailingHome(MemoryHome):
    async def publish(self, *arguments: Any, **options: Any) -> Position:
        raise HomeUnreachable("redis://:secret@127.0.0.1 is gone")


def test_a_home_out_of_reach_is_told_without_its_address() -> None:
    async def main() -> None:
        async with Rooms(FailingHome()) as rooms, tab(rooms) as ada:
            await ada.ask("join", room="r")
            number = await ada.post("publish", room="r", data=1)
            assert (await ada.reply_to(number))["error"] == {
                "code": "unavailable",
                "text": "the rooms are out of reach",
            }

    virtual_time.run(main())


def test_the_application_decides_what_is_shown_and_published() -> None:
    async def admit(ws: WebSocket, room: str, info: Info) -> Info:
        if "name" not in info:
            raise CommandRefused("no_name", "who are you?")
        return {"name": str(info["name"]).title()}

    def prepare(room: Room, data: object) -> object:
        if data == "rude":
            raise CommandRefused("rude", "not here")
        return {"by": room.info["name"], "text": data}

    async def main() -> None:
        hooks: dict[str, Any] = {"admit": admit, "prepare": prepare}
        async with Rooms() as rooms, tab(rooms, **hooks) as ada:
            assert await ada.refused("join", room="r") == "no_name"
            await ada.ask("join", room="r", info={"name": "ada"})
            assert await ada.refused("publish", room="r", data="rude") == "rude"
            await ada.ask("publish", room="r", data="hello")
            heard = await ada.push("publication")
            assert await ada.refused("update", room="r", info={}) == "no_name"

        assert heard["data"] == {"by": "Ada", "text": "hello"}

    virtual_time.run(main())


def test_an_info_that_no_message_can_carry_joins_nobody() -> None:
    async def main() -> None:
        rooms = Rooms()
        async with rooms, tab(rooms, admit=lambda ws, room, info: {"name": object()}) as ada:
            assert await ada.refused("join", room="r") == "internal"
            assert await rooms.presence("r") == {}

    virtual_time.run(main())


@pytest.mark.parametrize("made", [ValueError("secret"), {1: float("nan")}, object()])
def test_a_failing_application_is_logged_and_not_told(
    made: object, caplog: pytest.LogCaptureFixture
) -> None:
    def prepare(room: Room, data: object) -> object:
        if isinstance(made, Exception):
            raise made
        return made

    async def main() -> None:
        async with Rooms() as rooms, tab(rooms, prepare=prepare) as ada:
            await ada.ask("join", room="r")
            number = await ada.post("publish", room="r", data=1)
            reply = await ada.reply_to(number)
            await ada.ask("ping")

        assert reply["error"] == {"code": "internal", "text": "the server failed"}

    virtual_time.run(main())
    assert "a command of <WebSocket" in caplog.text


def test_a_window_lets_few_be_on_their_way() -> None:
    async def main() -> None:
        async with Rooms() as rooms, tab(rooms) as ada:
            await ada.ask("join", room="r", window=2)
            for data in "12345":
                await rooms.publish("r", data)
            assert [(await ada.push("publication"))["data"] for _ in range(2)] == [1, 2]
            await ada.ask("ack", room="r", offset=1)
            assert (await ada.push("publication"))["data"] == 5
            await ada.ask("ack", room="r", offset=1)  # nothing waits any more
            await rooms.publish("r", "6")
            await ada.ask("update", room="r", window=3)
            assert (await ada.push("publication"))["data"] == 6

    virtual_time.run(main())


@pytest.mark.parametrize(
    ("since_offset", "expected"), [(None, [1, 2, 3, 4]), (0, [2, 4])], ids=["history", "missed"]
)
def test_what_is_published_during_a_join_does_not_fill_its_window(
    since_offset: int | None, expected: list[int]
) -> None:
    class BusyHome(MemoryHome):
        async def history(self, room: str, *arguments: Any, **options: Any) -> History:
            for data in "23":
                await self.publish(room, Publication(data), keep=HistoryLimits())
            return await super().history(room, *arguments, **options)

    async def main() -> None:
        async with Rooms(BusyHome()) as rooms, tab(rooms) as ada:
            epoch = (await rooms.publish("r", "1")).epoch
            since = None if since_offset is None else {"epoch": epoch, "offset": since_offset}
            reply = await ada.ask("join", room="r", history=9, since=since, window=1)
            shown = [kept["offset"] for kept in reply["publications"]]
            await rooms.publish("r", "4")
            position = reply["position"]["offset"]
            while position < 4:
                offset = (await ada.push("publication"))["offset"]
                if offset > position:  # else it was told by the reply: upwire.js passes over it
                    await ada.ask("ack", room="r", offset=offset)
                    shown.append(position := offset)
            assert shown == expected

    virtual_time.run(main())


def test_a_slow_browser_is_told_once_and_recovers() -> None:
    async def main() -> None:
        limits = RoomLimits(history=HistoryLimits(messages=MANY), outbox=OutboxLimits(messages=5))
        async with Rooms(limits=limits) as rooms, tab(rooms) as slow:
            since = (await slow.ask("join", room="r", presence=True))["position"]
            text = json.dumps("x" * 1000)
            for _ in range(MANY):
                await rooms.publish("r", text)
            assert rooms.metrics().dropped_oldest > 0
            heard, lost = [0], 0
            while heard[-1] < MANY:
                push = await slow.read()
                lost += push["push"] == "lost"
                heard += [push["offset"]] if push["push"] == "publication" else []
            missing = set(range(1, MANY + 1)) - set(heard)
            reply = await slow.ask("recover", room="r", since=since)

        assert lost == 1
        assert missing <= {kept["offset"] for kept in reply["publications"]}
        assert reply["recovered"] is True
        assert len(reply["presence"]) == 1

    virtual_time.run(main())


def test_who_comes_back_to_a_home_that_forgot_is_told_to_recover() -> None:
    async def main() -> None:
        home = MemoryHome()
        async with Rooms(home) as rooms, tab(rooms) as ada:
            await ada.ask("join", room="r")
            await rooms.publish("r", "1")
            await ada.push("publication")
            listener = home._rooms["r"].listener
            assert listener is not None
            listener.interrupted()
            gone = await home.history("r", since=Position("another", 0))
            listener.resumed(gone)
            await ada.push("lost")

    virtual_time.run(main())


async def flood(deaf: Tab) -> None:
    """Ask for much, and take none of it."""
    while True:
        await deaf.post("history", room="r")
        await asyncio.sleep(0)


def test_a_browser_that_reads_nothing_holds_up_nobody() -> None:
    async def main() -> None:
        limits = BrowserLimits(commands=4)
        async with Rooms() as rooms, tab(rooms, limits=limits) as deaf, tab(rooms) as bob:
            await deaf.ask("join", room="r")
            await rooms.publish("r", json.dumps("x" * 60_000))
            flooding = asyncio.create_task(flood(deaf))
            await asyncio.sleep(5)
            assert not flooding.done()  # it waits: the server reads no more of it
            flooding.cancel()
            await bob.ask("join", room="r", history=1)
            await bob.ask("publish", room="r", data="goes on")
            assert (await bob.push("publication"))["data"] == "goes on"

    virtual_time.run(main())


def test_a_browser_that_takes_a_reply_too_slowly_is_cut() -> None:
    async def main() -> None:
        options = WebSocketOptions(ping_interval_s=None, send_timeout_s=3)
        guest = Guest(options)
        rooms = Rooms()
        serving = asyncio.ensure_future(browser_handler(rooms)(guest.ws))
        await guest.client.send('{"id": 1, "method": "connect", "version": 1}')
        await guest.client.send('{"id": 2, "method": "join", "room": "r"}')
        await virtual_time.settle()
        guest.stop_reading()
        await guest.client.send('{"id": 3, "method": "presence", "room": "r"}')
        await asyncio.wait([serving])
        assert isinstance(serving.exception(), ConnectionClosed)
        assert await rooms.presence("r") == {}
        await rooms.close()

    virtual_time.run(main())
