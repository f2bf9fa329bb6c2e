"""How rooms do: counters, and the snapshot that is shown."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """What has happened since the start."""

    published: int = 0
    delivered: int = 0
    dropped_oldest: int = 0
    replaced_by_key: int = 0
    closed_slow: int = 0
    encoder_failures: int = 0
    recovered: int = 0
    not_recovered: int = 0
    interruptions: int = 0


@dataclass(frozen=True, slots=True)
class RoomsMetrics:
    """A snapshot of this node.

    rooms, members: now; slow_members and waiting_messages: those that an outbox holds.
    published: messages that members of this node, or its own code, have published.
    delivered: messages handed to connections, a message to two members being two.
    dropped_oldest, replaced_by_key: messages that a slow member never gets, by its policy.
    closed_slow: members closed with 1013.
    encoder_failures: messages that an encoder, and so its members, failed to make.
    recovered, not_recovered: members that came back, with all they had missed or not.
    interruptions: how often a room had lost its home.
    """

    rooms: int
    members: int
    slow_members: int
    waiting_messages: int
    published: int
    delivered: int
    dropped_oldest: int
    replaced_by_key: int
    closed_slow: int
    encoder_failures: int
    recovered: int
    not_recovered: int
    interruptions: int
