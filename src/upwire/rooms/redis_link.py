"""Commands to Redis: scripts run within a deadline, over connections that come and go."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from upwire.errors import ConfigError, HomeUnreachable, Problem
from upwire.rooms import redis_scripts
from upwire.rooms.redis_scripts import Script

try:
    import redis.exceptions as faults
    from redis.asyncio import BlockingConnectionPool, Redis
    from redis.asyncio.connection import AbstractConnection as Connection
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
except ModuleNotFoundError:
    raise ConfigError(
        [Problem("rooms on Redis need the redis package: pip install 'upwire[redis]'")]
    ) from None

__all__ = ["LOST", "Call", "Connection", "Link", "backoff_s", "stop"]

LOST = (faults.RedisError, OSError, TimeoutError)
"""What the use of a connection raises when it fails."""

# A server that is gone, starts or is being replaced. It may be another one in a moment.
_PASSING = (
    *(faults.ConnectionError, faults.TimeoutError, OSError, TimeoutError),
    *(faults.ReadOnlyError, faults.ClusterDownError),
)
_SCHEMES = ("redis", "rediss", "unix")
_URL_OPTIONS = frozenset(
    {"db", "username", "password", "ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile"}
    | {"ssl_cert_reqs", "ssl_check_hostname"}
)
_BACKOFF_FIRST_S = 0.05
_BACKOFF_MOST_S = 2.0
_CONNECTIONS_MAX = 16
_CANCEL_AGAIN_S = 0.05


@dataclass(frozen=True, slots=True)
class Call:
    """A script to run, on the keys of one room."""

    script: Script
    keys: tuple[str, ...]
    arguments: tuple[str | bytes | int, ...] = ()


class Link:
    """The way to one Redis server.

    deadline_s: how long a call goes on trying. address: the URL without its secrets.
    """

    def __init__(self, url: str, *, deadline_s: float) -> None:
        """Open nothing yet. Raises ConfigError for a URL that is none of ours."""
        self.address = _address(url)
        self._deadline_s = deadline_s
        attempt_s = max(deadline_s / 2, _BACKOFF_FIRST_S)
        try:
            self._pool = BlockingConnectionPool.from_url(
                url,
                protocol=2,
                max_connections=_CONNECTIONS_MAX,
                timeout=deadline_s,
                retry=Retry(NoBackoff(), 0),  # we repeat ourselves, and know what may be repeated
                socket_timeout=attempt_s,
                socket_connect_timeout=attempt_s,
            )
            self.make_connection()
        except (ValueError, TypeError, faults.RedisError):
            raise _fault("has an option that the redis package refuses") from None
        self._client = Redis(connection_pool=self._pool)

    def make_connection(self) -> Connection:
        """Return a connection beside those of the calls, not yet connected, without a timeout."""
        options = {**self._pool.connection_kwargs, "socket_timeout": None}
        return self._pool.connection_class(**options)

    async def ask(self, text: str) -> Any:
        """Run a script that has neither keys nor effects; return its answer."""
        return await self._insist(lambda: self._client.eval(text, 0))

    async def run(self, *calls: Call) -> list[Any]:
        """Run scripts in one round trip; return their answers, typed by each script alone.

        Repeats them all where the answer was lost: a script must bear that.
        Raises HomeUnreachable when the deadline has passed, or the server refuses.
        """
        replies: list[Any] = await self._insist(lambda: self._run_once(calls))
        return replies

    async def close(self) -> None:
        """Close all connections of calls."""
        await self._client.aclose()
        await self._pool.disconnect()

    async def _insist(self, step: Callable[[], Any]) -> Any:
        """Repeat a step until it succeeds or the deadline passes."""
        attempts = 0
        failure: Exception = TimeoutError("no answer")
        try:
            async with asyncio.timeout(self._deadline_s):
                while True:
                    try:
                        return await step()
                    except faults.AuthenticationError:
                        raise
                    except _PASSING as error:
                        failure = error
                    attempts += 1
                    await asyncio.sleep(backoff_s(attempts))
        except TimeoutError:
            raise HomeUnreachable(f"{self.address} is not reached: {failure}") from None
        except faults.RedisError as error:
            raise HomeUnreachable(f"{self.address} refuses: {error}") from None

    async def _run_once(self, calls: Sequence[Call]) -> list[Any]:
        replies = await self._send(calls)
        if any(isinstance(reply, faults.NoScriptError) for reply in replies):
            for script in redis_scripts.ALL:
                await self._client.script_load(script.text)
            replies = await self._send(calls)
        for reply in replies:
            if isinstance(reply, faults.ResponseError):
                raise reply
        return replies

    async def _send(self, calls: Sequence[Call]) -> list[Any]:
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
