"""Rooms: what one member publishes, all members get; `Rooms`, and the homes where they live."""

from __future__ import annotations

from upwire.rooms.browser_options import BrowserLimits
from upwire.rooms.browsers import browser_handler, client_script
from upwire.rooms.events import (
    Encoder,
    Event,
    Interrupted,
    Joined,
    Left,
    Published,
    Resumed,
)
from upwire.rooms.home import (
    History,
    HistoryLimits,
    Home,
    Info,
    Listener,
    Position,
    Publication,
)
from upwire.rooms.limits import OutboxLimits, RoomLimits, SlowPolicy
from upwire.rooms.memory import MemoryHome
from upwire.rooms.metrics import RoomsMetrics
from upwire.rooms.permissions import Action, May
from upwire.rooms.protocol import CommandRefused
from upwire.rooms.room import Room
from upwire.rooms.rooms import Rooms

__all__ = [
    "Action",
    "BrowserLimits",
    "CommandRefused",
    "Encoder",
    "Event",
    "History",
    "HistoryLimits",
    "Home",
    "Info",
    "Interrupted",
    "Joined",
    "Left",
    "Listener",
    "May",
    "MemoryHome",
    "OutboxLimits",
    "Position",
    "Publication",
    "Published",
    "Resumed",
    "Room",
    "RoomLimits",
    "Rooms",
    "RoomsMetrics",
    "SlowPolicy",
    "browser_handler",
    "client_script",
]
