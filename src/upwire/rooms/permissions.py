"""Who may do what in a room: the application says."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Awaitable, Callable

from upwire.errors import RoomRefused
from upwire.net.websocket import WebSocket
from upwire.rooms.home import Info


class Action(enum.Enum):
    """What a member may ask for."""

    JOIN = "join"
    PUBLISH = "publish"
    PRESENCE = "presence"
    HISTORY = "history"


May = Callable[[Action, str, WebSocket, Info], bool | Awaitable[bool]]
"""Returns whether a WebSocket, as the member with that info, may do so in the room of that name."""


async def check_permission(
    may: May | None, action: Action, room: str, ws: WebSocket, info: Info
) -> None:
    """Raise RoomRefused unless it is allowed; what `may` itself raises goes through."""
    if may is None:
        return
    answer = may(action, room, ws, info)
    if inspect.isawaitable(answer):
        answer = await answer
    if not answer:
        raise RoomRefused(f"{action.value} is not allowed in room {room!r}", reason="permission")
