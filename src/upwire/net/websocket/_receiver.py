"""What a task awaits in recv(): a future that can be used again, and that wakes without the loop.

Cython's pure Python mode; uncompiled, the same file runs.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any, Self

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython


@cython.final
@cython.cclass
class Receiver:
    """Where one task waits, by the protocol that asyncio.Task has for whatever it awaits.

    A future of asyncio's costs a new object and a turn of the loop for each wait: 1.5 µs of the
    8 that an echo takes.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._asyncio_future_blocking = False
        self._loop = loop
        self._wake_up: Callable[[Receiver], None] | None = None
        self._context: Context | None = None
        self._is_waited_for = False
        self._is_cancelled = False
        self._cancel_message: object = None
        self._handle: asyncio.Handle | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a task waits, and was not woken."""
        return self._wake_up is not None and self._handle is None

    @cython.ccall
    def wake(self) -> None:
        """Let the task go on, in the next turn of the loop."""
        if self._wake_up is not None and self._handle is None:
            self._handle = self._loop.call_soon(self._step)

    @cython.ccall
    def step(self) -> None:
        """Let the task go on now, and return when it waits again. Not to be called in a task."""
        if self._wake_up is not None and self._handle is None:
            self._step()

    @cython.ccall
    def _step(self) -> None:
        self._handle = None
        wake_up, self._wake_up = self._wake_up, None
        context, self._context = self._context, None
        if wake_up is not None and context is not None:
            context.run(wake_up, self)

    # The protocol

    def __await__(self) -> Self:
        self._is_waited_for = False
        return self

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Self:
        """Give the task what it is to wait for: this, which is asked again once it is woken."""
        if self._is_waited_for:
            self._is_waited_for = False
            raise StopIteration
        self._is_waited_for = True
        self._asyncio_future_blocking = True
        return self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(self, wake_up: Callable[[Receiver], None], *, context: Context) -> None:
        """Take what the task is woken with."""
        self._wake_up = wake_up
        self._context = context

    def done(self) -> bool:
        return self._wake_up is None

    def cancel(self, msg: Any = None) -> bool:
        """Raise CancelledError in the task, unless it is woken already."""
        if self._wake_up is None or self._handle is not None:
            return False
        self._is_cancelled = True
        self._cancel_message = msg
        self.wake()
        return True

    def result(self) -> None:
        """Tell the task that is woken whether it was cancelled."""
        if self._is_cancelled:
            self._is_cancelled = False
            message, self._cancel_message = self._cancel_message, None
            raise asyncio.CancelledError() if message is None else asyncio.CancelledError(message)
