"""`AsgiApplication`: an ASGI 3 application on a server of ours, alone or below a path."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any

from upwire.asgi.failure import log_failure
from upwire.asgi.forwarded import TrustedProxies
from upwire.asgi.http import HttpCycle, State
from upwire.asgi.interface import AsgiCallable, Scope
from upwire.asgi.lifespan import Lifespan, Mode
from upwire.asgi.scope import ScopeMaker
from upwire.asgi.websocket import WebSocketCycle
from upwire.errors import ClientDisconnected, LocalProtocolError, StreamError, printable
from upwire.net.http1 import HttpExchange
from upwire.net.websocket import WebSocket
from upwire.server.mounting import Mount, Site
from upwire.wire.handshake import check_request, is_upgrade_request

logger = logging.getLogger("upwire.asgi")
access_logger = logging.getLogger("upwire.access")

CANCEL_TIMEOUT_S = 0.5
"""How long an application may take to end what is cancelled."""

LIFESPAN_TIMEOUT_S = 1.0
"""How long an application may take to stop where requests have used up the time for that."""

_BUSY = b"Service Unavailable\n"
_FAILED = b"500 Internal Server Error\n"


class AsgiApplication(Mount):
    """Serves an ASGI application.

    root_path: what a proxy has taken off the paths. forwarded_allow_ips: whose X-Forwarded-For
    and -Proto are believed, "*": everybody's, None: nobody's. limit_concurrency: so many of its
    requests and WebSockets at once, more get 503. lifespan: "auto", "on" or "off".
    """

    def __init__(
        self,
        app: AsgiCallable,
        *,
        root_path: str = "",
        forwarded_allow_ips: str | None = "127.0.0.1",
        limit_concurrency: int | None = None,
        lifespan: Mode = "auto",
        access_log: bool = False,
    ) -> None:
        if not callable(app):
            raise LocalProtocolError(f"{app!r:.80} is no ASGI application")
        proxies = None if forwarded_allow_ips is None else TrustedProxies(forwarded_allow_ips)
        self._app = app
        self._scopes = ScopeMaker(root_path.rstrip("/"), proxies)
        self._limit = limit_concurrency
        self._lifespan = Lifespan(app, lifespan)
        self._has_lifespan = lifespan != "off"
        self._access_log = access_log
        self._running: dict[asyncio.Task[None], HttpCycle | WebSocketCycle] = {}

    async def start(self) -> None:
        """Let the application start, as lifespan has it."""
        await self._lifespan.start()

    def begin_stop(self) -> None:
        """Tell what still runs that its client is gone; WebSockets are the server's to close."""
        for cycle in self._running.values():
            cycle.tell_stop()

    async def stop(self, timeout_s: float) -> None:
        """Let end what goes on behind its response, and then the application, as lifespan has it.

        What ignores that it is cancelled is left behind.
        """
        if self._running:
            _, rest = await asyncio.wait(self._running, timeout=timeout_s)
            for task in rest:
                task.cancel()
            if rest:
                _, rest = await asyncio.wait(rest, timeout=CANCEL_TIMEOUT_S)
            if rest:
                logger.error("the application ignores that it is cancelled, %d times", len(rest))
        await self._lifespan.stop(max(timeout_s, LIFESPAN_TIMEOUT_S))

    async def serve(
        self, exchange: HttpExchange, prefix: str, site: Site
    ) -> asyncio.Task[None] | None:
        """Answer a request, as Mount has it."""
        if self._limit is not None and len(self._running) >= self._limit:
            logger.warning("limit_concurrency %d is reached: 503", self._limit)
            await exchange.respond(503, headers=[("Content-Type", "text/plain")], body=_BUSY)
            return None
        if exchange.head.method == "GET" and is_upgrade_request(exchange.head):
            return await self._serve_handshake(exchange, prefix, site)
        await self._serve_http(exchange, prefix)
        return None

    # A plain request

    async def _serve_http(self, exchange: HttpExchange, prefix: str) -> None:
        """Answer; a task is the application's own, which may go on behind its response."""
        cycle = HttpCycle(exchange)
        scope = self._scopes.http(exchange, prefix, self._state)
        task = self._begin(self._run_http(scope, cycle), cycle)
        try:
            await cycle.finished
        except asyncio.CancelledError:
            task.cancel()
            raise
        finally:
            cycle.finish()
        if self._access_log:
            _log_access(scope, cycle.status)
        if cycle.state is State.COMPLETE:
            return
        if cycle.fault is not None and exchange.response is None:
            raise cycle.fault  # it is the client's, whatever the application made of it
        if exchange.response is None and not exchange.is_cut:
            await exchange.respond(500, headers=_PLAIN, body=_FAILED)
        else:
            exchange.stream.abort()  # the client has to see that the content is cut
            raise StreamError("the application did not answer in full")

    async def _run_http(self, scope: Scope, cycle: HttpCycle) -> None:
        try:
            await self._app(scope, cycle.receive, cycle.send)
            if cycle.state is not State.COMPLETE and not cycle.finished.done():
                logger.error("the application has returned without a response: %s", _what(scope))
        except ClientDisconnected as error:
            logger.debug("%s: %s", _what(scope), error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - the application's
            log_failure(f"the application's {_what(scope)}", error)
        finally:
            cycle.finish()

    # A WebSocket

    async def _serve_handshake(
        self, exchange: HttpExchange, prefix: str, site: Site
    ) -> asyncio.Task[None] | None:
        """Let the application decide; return its task where it has accepted."""
        policy = replace(site.options.policy, select_subprotocol=_choose_none)
        accepted = check_request(exchange.head, policy)
        cycle = WebSocketCycle(exchange, accepted, site)
        scope = self._scopes.websocket(exchange, prefix, self._state)
        task = self._begin(self._run_websocket(scope, cycle, site), cycle)
        try:
            await cycle.decided
        except asyncio.CancelledError:
            task.cancel()
            raise
        if self._access_log:
            _log_access(scope, 101 if exchange.response is None else exchange.response.status)
        if cycle.ws is not None:
            return task
        if exchange.response is None and not (exchange.is_cut or exchange.stream.is_eof):
            await exchange.respond(500, headers=_PLAIN, body=_FAILED)  # it has cancelled itself
        elif not exchange.is_answered:
            exchange.stream.abort()
            raise StreamError("the client left its handshake")
        return None

    async def _run_websocket(self, scope: Scope, cycle: WebSocketCycle, site: Site) -> None:
        try:
            try:
                await self._app(scope, cycle.receive, cycle.send)
                await cycle.end()
            except ClientDisconnected as error:
                logger.debug("%s: %s", _what(scope), error)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - the application's
                log_failure(f"the application's {_what(scope)}", error)
                await cycle.fail()
            if cycle.ws is not None:
                cycle.ws.begin_close()
                await cycle.ws.wait_closed()
        except (StreamError, ClientDisconnected) as error:
            logger.debug("%s: %s", _what(scope), error)
        finally:
            cycle.decide()
            if cycle.ws is not None:
                _forget(cycle.ws, site)

    # Both

    @property
    def _state(self) -> dict[str, Any] | None:  # Any: the values are the application's
        return self._lifespan.state if self._has_lifespan else None

    def _begin(
        self, coroutine: Coroutine[Any, Any, None], cycle: HttpCycle | WebSocketCycle
    ) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._running[task] = cycle
        task.add_done_callback(self._running.pop)
        return task


_PLAIN = [("Content-Type", "text/plain; charset=utf-8")]


def _forget(ws: WebSocket, site: Site) -> None:
    ws.abort()  # where the task is cancelled; otherwise it is closed
    site.websockets.discard(ws)


def _choose_none(offers: Sequence[str]) -> None:
    """Leave the subprotocol to the application."""


def _what(scope: Scope) -> str:
    return f"{scope.get('method', 'WebSocket')} {printable(scope['path'][:200])}"


def _log_access(scope: Scope, status: int) -> None:
    host, port = scope["client"] or ("-", 0)
    target = scope["raw_path"].decode("latin-1")
    query = scope["query_string"].decode("latin-1")
    access_logger.info(
        '%s:%d - "%s %s HTTP/%s" %d',
        host,
        port,
        scope.get("method", "WebSocket"),
        printable(f"{target}?{query}" if query else target),
        scope["http_version"],
        status,
    )
