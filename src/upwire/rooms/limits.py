"""What one room, one member and one message may come to."""

from __future__ import annotations

import enum
import unicodedata
from dataclasses import dataclass, field

from upwire.errors import LocalProtocolError, RoomRefused
from upwire.rooms.home import HistoryLimits
from upwire.wire.frames import encode_text

NAME_OCTETS = 255
"""The longest name of a room, in UTF-8."""


class SlowPolicy(enum.Enum):
    """What happens to a member that takes messages more slowly than they come."""

    DROP_OLDEST = enum.auto()  # it misses the oldest that wait
    LATEST_BY_KEY = enum.auto()  # a later message of a key takes the place of one that waits
    CLOSE = enum.auto()  # it is closed with 1013 (Try Again Later)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxLimits:
    """What may wait for a member that is slow, behind what its connection holds already.

    What it missed before it came back does not count: `RoomLimits.recovery_messages` bounds that.

    messages, octets: past either, the policy decides. With LATEST_BY_KEY, what has no key, and
    the oldest of too many keys, is dropped as DROP_OLDEST does.
    """

    messages: int = 256
    octets: int = 2**20
    policy: SlowPolicy = SlowPolicy.DROP_OLDEST

    def __post_init__(self) -> None:
        _check_positive(messages=self.messages, octets=self.octets)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLimits:
    """The limits of a room; None: no limit.

    members: those of this node.
    message_octets: of what is published, text in UTF-8.
    publishes_per_s, publish_burst: how often a member may publish, and how often at once.
    history: what is kept.
    recovery_messages: what a member that comes back may have missed, at most, to get it.
    outbox: what may wait for a slow member.
    """

    members: int | None = None
    message_octets: int = 2**16
    publishes_per_s: float | None = None
    publish_burst: int = 10
    history: HistoryLimits = field(default_factory=HistoryLimits)
    recovery_messages: int = 256
    outbox: OutboxLimits = field(default_factory=OutboxLimits)

    def __post_init__(self) -> None:
        _check_positive(
            members=self.members,
            message_octets=self.message_octets,
            publishes_per_s=self.publishes_per_s,
            publish_burst=self.publish_burst,
            recovery_messages=self.recovery_messages,
        )


class Allowance:
    """How often a member may publish: a bucket of burst tokens, filled again at per_s."""

    __slots__ = ("_burst", "_filled_s", "_per_s", "_tokens")

    def __init__(self, per_s: float, burst: int, now_s: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._tokens = float(burst)
        self._filled_s = now_s

    def take(self, now_s: float) -> bool:
        """Return whether one more is allowed now."""
        self._tokens = min(self._burst, self._tokens + (now_s - self._filled_s) * self._per_s)
        self._filled_s = now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def check_name(name: str) -> None:
    """Raise RoomRefused unless name can be a room's: 1 to 255 octets of readable UTF-8."""
    if not isinstance(name, str) or not name:
        raise RoomRefused("the name of a room is text, and not empty", reason="name")
    if len(name) > NAME_OCTETS or len(name.encode(errors="replace")) > NAME_OCTETS:
        raise RoomRefused(f"the name of a room has {NAME_OCTETS} octets at most", reason="name")
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in name):
        raise RoomRefused("the name of a room has only readable characters", reason="name")


def check_message(data: str | bytes, key: str, limit_octets: int) -> None:
    """Raise RoomRefused unless data and key, together, are within the limit.

    Raises TypeError for what is no message, LocalProtocolError for text that is no UTF-8.
    """
    if not isinstance(data, (str, bytes)):
        raise TypeError(f"what is published is str or bytes, not {data!r:.80}")
    octets = len(encode_text(data) if isinstance(data, str) else data)
    if octets + len(encode_text(key)) > limit_octets:
        raise RoomRefused(f"the message has more than {limit_octets} octets", reason="size")


def _check_positive(**values: float | None) -> None:
    for name, value in values.items():
        if value is not None and value <= 0:
            raise LocalProtocolError(f"{name} must be more than 0, not {value}")
