"""What a relay and whatever carries its octets know of each other."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

from upwire.errors import StreamError


class Side(enum.Enum):
    """Which of the two connections."""

    DOWNSTREAM = enum.auto()
    UPSTREAM = enum.auto()

    @property
    def opposite(self) -> Side:
        """The other one."""
        return Side.UPSTREAM if self is Side.DOWNSTREAM else Side.DOWNSTREAM


class Cause(enum.Enum):
    """Why a relay ended."""

    ENDED = enum.auto()  # both directions ended, or one of a connection without half-close
    LOST = enum.auto()
    IDLE = enum.auto()
    TOO_BIG = enum.auto()  # a message was longer than the limit
    CLOSED = enum.auto()  # from here: `Relay.close()`
    CUT = enum.auto()  # from here: `Relay.abort()`


@dataclass(frozen=True, slots=True)
class RelayEnd:
    """How a relay ended.

    side: the connection that ended its direction first, was lost, or sent what was too big; None
    where it was idle.
    error: what was lost, where the cause is LOST.
    closer: who sent the first Close frame; None where nobody did, or the relay itself.
    is_truncated: that side ended its direction without the alert that TLS has for it, so that
    anybody on the way may have done so (RFC 8446 §6.1).
    """

    cause: Cause
    side: Side | None = None
    error: StreamError | None = None
    closer: Side | None = None
    is_truncated: bool = False


class Owner(Protocol):
    """Who began a relay."""

    def relay_ended(self, end: RelayEnd) -> None:
        """Both connections are closed, but for what is still on its way; told once."""


class Observer(Protocol):
    """Who decides about a tunnel: what a carrier finds is told here."""

    def note_end(self, side: Side, *, can_go_on: bool) -> None:
        """A side sends nothing more, and the other one was told if it has half-close."""

    def note_loss(self, side: Side, error: StreamError | None) -> None:
        """A connection is gone; where error is None, after its octets had ended."""

    def note_limit(self, side: Side) -> None:
        """What a side sends next is longer than the limit; nothing of it passes any more."""


class Carrier(Protocol):
    """Carries the octets of one tunnel, and counts them."""

    def start(self) -> None:
        """Begin, with what both Streams have already read; they are the carrier's from now on."""

    def stop(self) -> None:
        """Close both connections, each behind what it has not taken yet."""

    def abort(self) -> None:
        """Close both connections at once."""

    def insert(self, side: Side, frame: bytes, *, is_last: bool) -> None:
        """Send a frame of ours to a side, behind the frame that is under way to it.

        is_last: nothing may follow it; what comes from the opposite side is dropped.
        """

    def last_moved_at_s(self) -> float:
        """Return when an octet came or was taken last, on the loop's clock."""

    def first_to_end(self) -> Side | None:
        """Return the side that ended its direction first; None while none has."""

    def first_to_close(self) -> Side | None:
        """Return the side whose Close frame passed first; None while none has."""

    def is_truncated(self, side: Side) -> bool:
        """Whether a side's end came without the alert that TLS has for it."""
