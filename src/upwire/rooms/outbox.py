"""`Outbox`: what waits for one member that is slow, or that has not begun to listen."""

from __future__ import annotations

import asyncio
import enum
import logging
from collections import OrderedDict, deque
from collections.abc import Callable

from upwire.errors import ConnectionClosed, StreamError
from upwire.net.websocket import PreparedMessage, WebSocket
from upwire.rooms.home import Position
from upwire.rooms.limits import OutboxLimits, SlowPolicy
from upwire.rooms.metrics import Counters
from upwire.wire.frames import CloseCode

logger = logging.getLogger("upwire.rooms")

_Waiting = tuple[PreparedMessage, Position | None]


class _State(enum.Enum):
    HELD = enum.auto()  # the member does not listen yet
    STARTED = enum.auto()
    STOPPED = enum.auto()


class Outbox:
    """A bounded queue in front of one WebSocket, which exists while it is needed.

    It holds everything until `start()`, then sends as the peer reads, and calls on_empty when
    nothing is left: the member keeps up again.
    """

    __slots__ = (
        "_counters",
        "_floor",
        "_limits",
        "_missed",
        "_octets",
        "_on_empty",
        "_on_lost",
        "_sending",
        "_serial",
        "_state",
        "_waiting",
        "_ws",
    )

    def __init__(
        self,
        ws: WebSocket,
        limits: OutboxLimits,
        counters: Counters,
        *,
        on_empty: Callable[[], None],
        on_lost: Callable[[int], None] | None,
    ) -> None:
        """on_lost: is called with how many messages the member does not get."""
        self._ws = ws
        self._limits = limits
        self._counters = counters
        self._on_empty = on_empty
        self._on_lost = on_lost
        self._missed: deque[PreparedMessage] = deque()  # goes before what waits
        self._waiting: OrderedDict[str | int, _Waiting] = OrderedDict()  # by key, or by number
        self._serial = 0
        self._octets = 0
        self._floor: Position | None = None
        self._state = _State.HELD
        self._sending: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._missed) + len(self._waiting)

    def put(
        self, message: PreparedMessage | None, *, key: str = "", position: Position | None = None
    ) -> None:
        """Queue a message; past the limits, do what the policy says.

        position: of a publication, which may have no message; None for anything else.
        """
        if self._state is _State.STOPPED:
            return
        is_told = position is not None and self._is_below_floor(position)
        if message is not None and not is_told:
            self._add(message, key, position)
            self._keep_to_limits()
        if self._state is _State.STARTED and self._sending is None:
            self._send_on()

    def recover(
        self, missed: list[tuple[PreparedMessage, Position]], floor: Position, reached: Position
    ) -> None:
        """Put what the member missed before what came since, of which it gets what is behind floor.

        reached: where the room is; what leads up to the floor may still come. What was missed is
        beyond the limits and never dropped: how much may be recovered is limited already.
        """
        self._missed.extend(message for message, _ in missed)
        self._floor = floor
        for slot, (_, position) in list(self._waiting.items()):
            if position is not None and self._is_below_floor(position):
                self._drop(slot)
        self._is_below_floor(reached)

    def start(self) -> None:
        """Send from now on."""
        if self._state is _State.HELD:
            self._state = _State.STARTED
            self._send_on()

    def stop(self) -> None:
        """Forget what waits and send nothing more."""
        self._state = _State.STOPPED
        self._missed.clear()
        self._waiting.clear()
        self._octets = 0
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    def _is_below_floor(self, position: Position) -> bool:
        """Whether the member had that in its history; the floor is gone once it is reached."""
        floor = self._floor
        if floor is None:
            return False
        is_below = position.epoch == floor.epoch and position.offset <= floor.offset
        if not is_below or position.offset == floor.offset:
            self._floor = None
        return is_below

    def _add(self, message: PreparedMessage, key: str, position: Position | None) -> None:
        slot: str | int = key
        if not key or self._limits.policy is not SlowPolicy.LATEST_BY_KEY:
            self._serial += 1
            slot = self._serial
        elif slot in self._waiting:
            self._drop(slot)
            self._counters.replaced_by_key += 1
        self._waiting[slot] = message, position
        self._octets += len(message.frame)

    def _drop(self, slot: str | int) -> PreparedMessage:
        message, _ = self._waiting.pop(slot)
        self._octets -= len(message.frame)
        return message

    def _keep_to_limits(self) -> None:
        """Drop the oldest but never the latest, so that a gap before it tells of the loss."""
        lost, limits = 0, self._limits
        while len(self._waiting) > 1 and (
            len(self._waiting) > limits.messages or self._octets > limits.octets
        ):
            if limits.policy is SlowPolicy.CLOSE:
                self._close()
                return
            self._drop(next(iter(self._waiting)))
            lost += 1
        if lost:
            self._counters.dropped_oldest += lost
            self._tell_lost(lost)

    def _tell_lost(self, messages: int) -> None:
        if self._on_lost is not None:
            try:
                self._on_lost(messages)
            except Exception:  # the application's: the other members are served all the same
                logger.exception("on_lost failed for %r", self._ws)

    def _close(self) -> None:
        self._counters.closed_slow += 1
        self.stop()
        self._ws.begin_close(CloseCode.TRY_AGAIN_LATER, "messages come faster than they are read")

    def _send_on(self) -> None:
        """Send what goes at once; a task sends the rest."""
        if not self._send_now():
            self._sending = asyncio.get_running_loop().create_task(self._send_rest())

    def _send_now(self) -> bool:
        """Return whether everything has gone, having told so."""
        while self._missed or self._waiting:
            if not self._ws.can_send:
                return False
            self._ws.send_prepared(self._take_next())
            self._counters.delivered += 1
        if self._floor is None and self._state is _State.STARTED:
            self._on_empty()
        return True

    def _take_next(self) -> PreparedMessage:
        if self._missed:
            return self._missed.popleft()
        return self._drop(next(iter(self._waiting)))

    async def _send_rest(self) -> None:
        try:
            await self._ws.wait_can_send()
            while not self._send_now():
                await self._ws.wait_can_send()
            self._sending = None
        except ConnectionClosed:
            self._sending = None
            self.stop()
        except StreamError:  # past send_timeout_s
            self._sending = None
            self._close()
