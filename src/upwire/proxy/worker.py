"""A process that serves: a worker that a master has forked, or the only one there is."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Callable, Mapping
from itertools import count

from upwire.net.loop import run_in_loop
from upwire.net.stream import Stream
from upwire.proxy.downstream import Downstream, accept
from upwire.proxy.error_log import ErrorLogHandler
from upwire.proxy.route import ListenAddress
from upwire.proxy.service import Service
from upwire.wire.frames import CloseCode

TICK_S = 1.0
"""How often buffered logs are written and idle connections looked after."""

GRACE_S = 0.5
"""How long a connection that is idle at a graceful stop may still begin another request.

Closed at once, as nginx does, one in use could lose a request that is on its way.
"""

REUSED_MAX = 32
"""How many waiting connections are ended at once to make room; nginx's number."""

CLOSE_S = 1.0
"""How long the sides of a tunnel may take at a graceful stop to answer our Close (RFC 6455 §7.4.1).

nginx cuts tunnels at `worker_shutdown_timeout`; a Close with 1001 says that to come back is right.
"""

GARBAGE_OBJECTS = 20_000
"""How many more objects bring on a search for cycles, of which an exchange leaves none.

Python's 700 are those of a few dozen requests under way: 7 % of the time of a GET went there.
"""

Acts = Mapping[signal.Signals, Callable[[], None]]


class Worker:
    """Serves what a `Service` has in force, until it is told to end."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._numbers = count(1)
        self._downstreams: dict[Downstream, None] = {}  # a set that keeps the order of arrival
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()  # no connection is waited for any more
        self._is_graceful = False

    def run(self, acts: Acts) -> None:
        """Serve until a signal ends it, with acts for the signals that are held back until then."""
        handler = ErrorLogHandler(lambda: self.service.cycle.log)
        logger = logging.getLogger("upwire")
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        gc.freeze()  # the configuration is there to stay
        gc.set_threshold(GARBAGE_OBJECTS)
        try:
            run_in_loop(self.serve(acts))
        finally:
            logger.removeHandler(handler)
            self.service.close()

    def signals(self) -> Acts:
        """Return what is done at each signal that ends us or has us open the logs anew."""
        return {
            signal.SIGINT: lambda: self.stop(is_graceful=False),
            signal.SIGTERM: lambda: self.stop(is_graceful=False),
            signal.SIGQUIT: lambda: self.stop(is_graceful=True),
            signal.SIGUSR1: self.service.reopen_logs,
        }

    async def serve(self, acts: Acts) -> None:
        """Serve until `stop()`."""
        loop = asyncio.get_running_loop()
        for number, act in acts.items():
            loop.add_signal_handler(number, act)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, acts)
        service = self.service
        service.counters.count_waiting = self._count_waiting
        service.ports.start(self._serve)
        if service.status is not None:
            service.status.start()
        ticking = asyncio.create_task(self._tick())
        try:
            await self._stopping.wait()
            await self._end()
        finally:
            ticking.cancel()
            service.close_idle()
            for number in acts:
                loop.remove_signal_handler(number)

    def stop(self, *, is_graceful: bool) -> None:
        """End: at once, or after the requests in flight."""
        self._is_graceful = is_graceful and not self._stopping.is_set()
        self._stopping.set()
        if not self._is_graceful:
            self._idle.set()

    async def _serve(self, bound: ListenAddress, stream: Stream) -> None:
        downstream = await accept(stream, bound, next(self._numbers), lambda: self.service.cycle)
        if downstream is None:
            return
        self._downstreams[downstream] = None
        self._make_room(downstream)
        if self._stopping.is_set():  # it was accepted just before
            downstream.http.drain(spares_idle=True)
        try:
            await downstream.serve()
        finally:
            del self._downstreams[downstream]
            if self._stopping.is_set() and not self._downstreams:
                self._idle.set()

    def _make_room(self, newest: Downstream) -> None:
        """Where the last of `worker_connections` was taken, end some that wait for a request.

        Without any, newcomers wait in the system's backlog, where nginx closes them.
        """
        limit = self.service.cycle.config.main.worker_connections
        if len(self._downstreams) < limit:
            return
        message = f"{limit} worker_connections are not enough"
        others = (one for one in self._downstreams if one is not newest)
        waiting = [one for one in others if one.http.is_waiting]
        if not waiting:
            self.service.cycle.log.write("alert", message)
            return
        self.service.cycle.log.write("warn", f"{message}, reusing connections")
        for downstream in waiting[: max(min(REUSED_MAX, len(waiting) // 8), 1)]:
            downstream.http.drain()

    def _count_waiting(self) -> int:
        return sum(downstream.http.is_waiting for downstream in self._downstreams)

    async def _tick(self) -> None:
        service = self.service
        while True:
            service.tick()
            service.counters.publish()
            await asyncio.sleep(TICK_S)

    async def _end(self) -> None:
        """Stop accepting, let the requests in flight end if that was asked, and cut the rest."""
        service = self.service
        service.ports.close()
        if self._is_graceful:
            await self._end_gracefully(service.cycle.config.main.worker_shutdown_timeout_s)
        await service.ports.drain(0)
        await self._end_tunnels()
        if service.status is not None:
            await service.status.close()

    async def _end_gracefully(self, patience_s: float | None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience_s):
                for downstream in self._downstreams:
                    downstream.http.drain(spares_idle=True)
                if await self._is_left(GRACE_S):
                    for downstream in self._downstreams:
                        downstream.http.drain()
                    await self._is_left(None)

    async def _is_left(self, wait_s: float | None) -> bool:
        """Wait until no connection is left; return whether there is one after wait_s."""
        ports = self.service.ports
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_s):
                await ports.wait_connections()
                if self._downstreams:  # of an address that a reload has closed
                    await self._idle.wait()
                await self.service.counters.wait_tunnels()
        is_tunnelled = bool(self.service.counters.tunnels_open)
        return is_tunnelled or bool(self._downstreams or ports.connections)

    async def _end_tunnels(self) -> None:
        """Close the tunnels that are left, and cut them: after CLOSE_S where we are graceful."""
        counters = self.service.counters
        for tunnel in list(counters.tunnels_open):
            tunnel.close(CloseCode.GOING_AWAY)
        if self._is_graceful:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(counters.wait_tunnels(), CLOSE_S)
        for tunnel in list(counters.tunnels_open):
            tunnel.abort()
        await counters.wait_tunnels()
