"""Rooms: what one member publishes, all members get; `Rooms`, and the homes where they live."""

from __future__ import annotations

from upwire.rooms.home import (
    History,
    HistoryLimits,
    Home,
    Info,
    Listener,
    Position,
    Publication,
)

__all__ = [
    "History",
    "HistoryLimits",
    "Home",
    "Info",
    "Listener",
    "Position",
    "Publication",
]
