"""Messages between the connection that reads them and the task that receives them."""

from __future__ import annotations

from collections import deque


class ReceiveQueue:
    """Messages that wait for recv(): full at a limit, until a half of both limits is free."""

    __slots__ = (
        "_drops",
        "_is_stopped",
        "_messages_max",
        "_octets",
        "_octets_max",
        "is_full",
        "messages",
    )

    def __init__(self, messages_max: int, octets_max: int) -> None:
        self.messages: deque[str | bytes] = deque()
        self.is_full = False
        self._octets = 0
        self._messages_max = messages_max
        self._octets_max = octets_max
        self._is_stopped = False
        self._drops = False

    def put(self, message: str | bytes) -> None:
        if self._drops:
            return
        self.messages.append(message)
        self._octets += len(message)
        if len(self.messages) >= self._messages_max or self._octets >= self._octets_max:
            self.is_full = not self._is_stopped
            self._drops = self._is_stopped

    def take(self) -> str | bytes:
        message = self.messages.popleft()
        self._octets -= len(message)
        if self.is_full:
            is_short = 2 * len(self.messages) <= self._messages_max
            self.is_full = not (is_short and 2 * self._octets <= self._octets_max)
        return message

    def stop(self) -> None:
        """Be full no more: drop what comes past the limits, and all behind it.

        We are closing: the peer's Close is to be read even if nobody receives.
        """
        self._is_stopped = True
        self._drops = self.is_full
        self.is_full = False
