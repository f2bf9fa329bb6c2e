"""Lifespan: an application is told when the server begins and when it ends."""

from __future__ import annotations

import asyncio
import enum
import logging
from typing import Any, Literal

from upwire.asgi.failure import log_failure
from upwire.asgi.interface import AsgiCallable, Message, message_type, unexpected
from upwire.errors import UpwireError
from upwire.net.waiting import wake

logger = logging.getLogger("upwire.asgi")

Mode = Literal["auto", "on", "off"]


class State(enum.Enum):
    """Where the application is."""

    STARTING = enum.auto()
    STARTED = enum.auto()
    STOPPING = enum.auto()
    ENDED = enum.auto()


class Lifespan:
    """The lifespan scope of one application.

    mode: "auto" goes on without where the application has none, "on" does not, "off" never asks.
    """

    def __init__(self, app: AsgiCallable, mode: Mode) -> None:
        self.state: dict[str, Any] = {}  # Any: the values are the application's
        self._app = app
        self._mode = mode
        self._at = State.STARTING
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answered: asyncio.Future[None] | None = None
        self._failure: str | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Let the application start. Raises UpwireError where it says that it cannot."""
        if self._mode == "off":
            return
        self._at = State.STARTING
        await self._ask("lifespan.startup", asyncio.create_task(self._run()), None)
        if self._failure is not None:
            raise UpwireError(f"the application has not started{self._failure}")

    async def stop(self, timeout_s: float) -> None:
        """Let the application stop, and wait for it."""
        if self._task is None or self._task.done():
            return
        self._at = State.STOPPING
        try:
            await self._ask("lifespan.shutdown", self._task, timeout_s)
            if self._at is State.STOPPING and not self._task.done():
                logger.error("the application's lifespan has not ended within %g s", timeout_s)
            if self._failure is not None:
                logger.error("the application has not stopped in order%s", self._failure)
        finally:
            self._task.cancel()

    async def _ask(self, kind: str, task: asyncio.Task[None], timeout_s: float | None) -> None:
        self._task = task
        self._answered = asyncio.get_running_loop().create_future()
        self._messages.put_nowait({"type": kind})
        waiters = [self._answered, task]
        await asyncio.wait(waiters, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)

    async def _run(self) -> None:
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        try:
            await self._app(scope, self._messages.get, self._send)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the application's
            if self._at is not State.STARTING:
                log_failure("the application's lifespan", error)
            elif self._mode == "on":
                log_failure("the application's start", error)
                self._failure = ""
            else:
                logger.info("the application has no lifespan: %r", error)

    async def _send(self, message: Message) -> None:
        kind = message_type(message)
        asked = {State.STARTING: "lifespan.startup", State.STOPPING: "lifespan.shutdown"}
        if kind not in (f"{asked.get(self._at)}.complete", f"{asked.get(self._at)}.failed"):
            raise unexpected(message, f"in a lifespan that is {self._at.name.lower()}")
        if kind.endswith(".failed"):
            self._failure = f": {message.get('message', '')}".rstrip(": \n")
        self._at = State.STARTED if self._at is State.STARTING else State.ENDED
        if self._answered is not None:
            wake(self._answered)
