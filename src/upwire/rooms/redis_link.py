"""Commands to Redis: scripts run within a deadline, over a connection that comes and goes."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from upwire.errors import ConfigError, HomeUnreachable, Problem
from upwire.rooms import redis_scripts
from upwire.rooms.redis_scripts import Script

try:
    import redis.exceptions as faults
    from redis.asyncio import ConnectionPool, Redis
    from redis.asyncio.connection import AbstractConnection as Connection
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ModuleNotFoundError:
    raise ConfigError(
        [Problem("rooms on Redis need the redis package: pip install 'upwire[redis]'")]
    ) from None

__all__ = ["LOST", "Call", "Connection", "Link", "Refused", "backoff_s", "stop"]

# What the redis package lets through of a server that speaks something else.
_GARBLED = (ValueError, LookupError, RecursionError)

LOST = (faults.RedisError, OSError, TimeoutError, *_GARBLED)
"""What the use of a connection raises when it fails."""

# A server that is gone, starts or is being replaced. It may be another one in a moment.
_PASSING = (
    *(faults.ConnectionError, faults.TimeoutError, OSError, TimeoutError),
    *(faults.ReadOnlyError, faults.ClusterDownError, faults.NoScriptError, *_GARBLED),
)
_SCHEMES = ("redis", "rediss", "unix")
_URL_OPTIONS = frozenset(
    {"db", "username", "password", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"}
    | {"ssl_cert_reqs", "ssl_check_hostname"}
)
_BACKOFF_FIRST_S = 0.05
_BACKOFF_MOST_S = 2.0
_CALLS_AT_ONCE = 128  # in one round trip
_CANCEL_AGAIN_S = 0.05


class Refused(HomeUnreachable):
    """The server is there, and does not do what it was asked for."""


@dataclass(frozen=True, slots=True)
class Call:
    """A script to run, on the keys of one room."""

    script: Script
    keys: tuple[str, ...] = ()
    arguments: tuple[str | bytes | int, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Order:
    """Calls that somebody waits for."""

    calls: tuple[Call, ...]
    answer: asyncio.Future[list[Any]]


class Link:
    """The way to one Redis server, on one connection.

    What is called while answers are awaited goes together in the next round trip, in the order of
    the calls. deadline_s: how long a call goes on trying. address: the URL without its secrets.
    """

    def __init__(self, url: str, *, deadline_s: float) -> None:
        """Open nothing yet. Raises ConfigError for a URL that is none of ours."""
        self.address = _address(url)
        self._deadline_s = deadline_s
        attempt_s = max(deadline_s / 2, _BACKOFF_FIRST_S)
        try:
            self._pool = ConnectionPool.from_url(
                url,
                protocol=2,
                retry=Retry(NoBackoff(), 0),  # we repeat ourselves, and know what may be repeated
                encoding_errors="surrogatepass",  # callers give any text; ours is checked before
                socket_timeout=attempt_s,
                socket_connect_timeout=attempt_s,
            )
            self.make_connection()
        except (ValueError, TypeError, faults.RedisError):
            raise _fault("has an option that the redis package refuses") from None
        self._client = Redis(connection_pool=self._pool)
        self._orders: deque[_Order] = deque()
        self._has_orders = asyncio.Event()
        self._failure: Exception = TimeoutError("no answer")
        self._working: asyncio.Task[None] | None = None

    def make_connection(self) -> Connection:
        """Return a connection beside that of the calls, not yet connected, without a timeout."""
        options = {**self._pool.connection_kwargs, "socket_timeout": None}
        return self._pool.connection_class(**options)

    async def run(self, *calls: Call) -> list[Any]:
        """Run scripts in one round trip; return their answers, typed by each script alone.

        Repeats them where an answer was lost: a script must bear that.
        Raises HomeUnreachable when the deadline has passed, and Refused.
        """
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        order = _Order(calls, asyncio.get_running_loop().create_future())
        self._orders.append(order)
        self._has_orders.set()
        try:
            async with asyncio.timeout(self._deadline_s):
                return await order.answer
        except TimeoutError:
            raise HomeUnreachable(f"{self.address} is not reached: {self._failure}") from None

    async def close(self) -> None:
        """Close the connection. What is still called ends at its deadline."""
        if self._working is not None:
            await stop(self._working)
        await self._client.aclose()
        await self._pool.disconnect()

    async def _work(self) -> None:
        """Carry out the orders, for ever."""
        failures = 0
        while True:
            await self._has_orders.wait()
            batch = self._take_batch()
            try:
                replies = await self._send([call for order in batch for call in order.calls])
            except faults.AuthenticationError as error:
                self._refuse(batch, error)
            except _PASSING as error:
                self._failure = error
                self._orders.extendleft(reversed(batch))
                failures += 1
                await asyncio.sleep(min(backoff_s(failures), self._deadline_s / 4))
            except faults.RedisError as error:
                self._refuse(batch, error)
            else:
                failures = 0
                self._answer(batch, replies)
            if not self._orders:
                self._has_orders.clear()

    def _take_batch(self) -> list[_Order]:
        """Take the next orders that somebody still waits for."""
        batch: list[_Order] = []
        calls = 0
        while self._orders and calls < _CALLS_AT_ONCE:
            order = self._orders.popleft()
            if not order.answer.done():
                batch.append(order)
                calls += len(order.calls)
        return batch

    def _answer(self, batch: Sequence[_Order], replies: Sequence[Any]) -> None:
        start = 0
        for order in batch:
            answers = list(replies[start : start + len(order.calls)])
            start += len(order.calls)
            refusal = next((one for one in answers if isinstance(one, faults.RedisError)), None)
            if refusal is not None:
                self._refuse([order], refusal)
            elif not order.answer.done():
                order.answer.set_result(answers)

    def _refuse(self, batch: Sequence[_Order], error: Exception) -> None:
        for order in batch:
            if not order.answer.done():
                order.answer.set_exception(Refused(f"{self.address} refuses: {error}"))

    async def _send(self, calls: Sequence[Call]) -> list[Any]:
        """Return the replies, errors among them. Raises where they may be others in a moment."""
        replies = await self._send_once(calls)
        if any(isinstance(reply, faults.NoScriptError) for reply in replies):
            for script in redis_scripts.ALL:
                await self._client.script_load(script.text)
            replies = await self._send_once(calls)
        for reply in replies:
            if isinstance(reply, _PASSING):
                raise reply
        return replies

    async def _send_once(self, calls: Sequence[Call]) -> list[Any]:
        async with self._client.pipeline(transaction=False) as pipeline:
            for call in calls:
                pipeline.execute_command(
                    "EVALSHA", call.script.sha, len(call.keys), *call.keys, *call.arguments
                )
            replies: list[Any] = await pipeline.execute(raise_on_error=False)
            return replies


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task until it has ended; an error that ended it before is raised.

    Once is not enough: the redis package waits by wait_for(), which may lose a cancellation
    before Python 3.12.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_AGAIN_S)
    with contextlib.suppress(asyncio.CancelledError):
        task.result()


def backoff_s(attempts: int) -> float:
    """Return how long to wait after so many failures: full jitter, so that nodes spread out."""
    return random.uniform(0, min(_BACKOFF_MOST_S, _BACKOFF_FIRST_S * 2.0 ** min(attempts, 10)))


def _address(url: str) -> str:
    """Check a URL and return it without user, password and options. Never quotes the rest."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _fault("is no URL") from None
    try:
        port = parts.port
    except ValueError:
        raise _fault("has a port that is no number") from None
    if parts.scheme not in _SCHEMES:
        raise _fault(f"begins with none of {', '.join(f'{scheme}://' for scheme in _SCHEMES)}")
    if not {name for name, _ in parse_qsl(parts.query)} <= _URL_OPTIONS:
        raise _fault(f"has an option that is none of {', '.join(sorted(_URL_OPTIONS))}")
    if parts.scheme == "unix":
        if not parts.path:
            raise _fault("names no socket")
        return f"unix://{parts.path}"
    database = parts.path.strip("/")
    if database and not database.isdecimal():
        raise _fault("has a database that is no number")
    return f"{parts.scheme}://{parts.hostname or 'localhost'}:{port or 6379}/{database or 0}"


def _fault(what: str) -> ConfigError:
    return ConfigError(
        [Problem(f"the URL of Redis {what} (a password's own /, ?, # and @ are written as %2F...)")]
    )
