"""Messages between the connection that reads them and the task that receives them.

Cython's pure Python mode; uncompiled, the same file runs.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython


@cython.final
@cython.cclass
class ReceiveQueue:
    """Messages that wait for recv(): full at a limit, until a half of both limits is free."""

    def __init__(self, messages_max: int, octets_max: int) -> None:
        # A deque has 600 octets even when it is empty, and is not faster at this size.
        self.messages: list[str | bytes] = []
        self.is_full = False
        self._octets = 0
        self._messages_max = messages_max
        self._octets_max = octets_max
        self._is_stopped = False
        self._drops = False

    @cython.ccall
    def put(self, message: str | bytes) -> None:
        """Append a message."""
        if self._drops:
            return
        self.messages.append(message)
        self._octets += len(message)
        if len(self.messages) >= self._messages_max or self._octets >= self._octets_max:
            self.is_full = not self._is_stopped
            self._drops = self._is_stopped

    @cython.ccall
    def take(self) -> str | bytes:
        """Remove the first message, and return it."""
        message = self.messages.pop(0)
        self._octets -= len(message)
        if self.is_full:
            is_short: cython.bint = 2 * len(self.messages) <= self._messages_max
            self.is_full = not (is_short and 2 * self._octets <= self._octets_max)
        return message

    def stop(self) -> None:
        """Be full no more: drop what comes past the limits, and all behind it.

        We are closing: the peer's Close is to be read even if nobody receives.
        """
        self._is_stopped = True
        self._drops = self.is_full
        self.is_full = False
