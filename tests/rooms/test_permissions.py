"""The application's word on who may do what, said at once or later."""

from __future__ import annotations

import asyncio

import pytest

from kit.rooms import Guest
from kit.virtual_time import run
from upwire.errors import RoomRefused
from upwire.net.websocket import WebSocket
from upwire.rooms.home import Info
from upwire.rooms.permissions import Action, check_permission


def test_everything_is_allowed_unless_somebody_is_asked() -> None:
    async def main() -> None:
        await check_permission(None, Action.JOIN, "room", Guest().ws, {})

    run(main())


@pytest.mark.parametrize("waits", [False, True])
def test_the_answer_counts(waits: bool) -> None:
    async def main() -> None:
        ws = Guest().ws
        asked = []

        def may(action: Action, room: str, who: WebSocket, info: Info) -> bool:
            asked.append((action, room, who, info))
            return info["name"] == "Ann"

        async def may_later(action: Action, room: str, who: WebSocket, info: Info) -> bool:
            await asyncio.sleep(1)
            return may(action, room, who, info)

        asks = may_later if waits else may
        await check_permission(asks, Action.PUBLISH, "room", ws, {"name": "Ann"})
        with pytest.raises(RoomRefused, match="publish is not allowed in room 'room'") as raised:
            await check_permission(asks, Action.PUBLISH, "room", ws, {"name": "Bob"})
        assert raised.value.reason == "permission"
        assert asked[0] == (Action.PUBLISH, "room", ws, {"name": "Ann"})

    run(main())


def test_what_it_raises_goes_through() -> None:
    async def main() -> None:
        def may(action: Action, room: str, who: WebSocket, info: Info) -> bool:
            raise KeyError("name")

        with pytest.raises(KeyError):
            await check_permission(may, Action.JOIN, "room", Guest().ws, {})

    run(main())
