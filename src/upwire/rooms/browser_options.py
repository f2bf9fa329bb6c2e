"""What a server decides for its browsers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from upwire.net.websocket import WebSocket
from upwire.rooms.home import Info
from upwire.rooms.room import Room

Welcome = Callable[[WebSocket], object]
"""Returns what each page is told when it has connected; JSON."""

Admit = Callable[[WebSocket, str, Info], Info | Awaitable[Info]]
"""Returns what a member of the room of that name is to show, of what it wants to show."""

Prepare = Callable[[Room, object], object | Awaitable[object]]
"""Returns what is published of what a member wants to publish; both are JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrowserLimits:
    """What one browser may do, and how often it is to show that it is there.

    message_octets: of one command.
    commands: how many may wait for those before them; where more come, reading pauses.
    faults: commands in a row that are wrong before it is sent away with 1008.
    ping_interval_s, ping_timeout_s: how often it pings, and how long it waits for any message.
    """

    message_octets: int = 2**16
    commands: int = 128
    faults: int = 32
    ping_interval_s: float = 25.0
    ping_timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the application decides; each may raise CommandRefused."""

    welcome: Welcome | None = None
    admit: Admit | None = None
    prepare: Prepare | None = None
