"""`Server`: connections in, handlers called, and an orderly end."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Coroutine, Generator
from dataclasses import dataclass, replace
from ssl import SSLContext
from typing import Any, Self, TypeVar, Unpack

from upwire.errors import (
    ConnectError,
    ConnectionClosed,
    HandshakeRefused,
    LocalProtocolError,
    RemoteProtocolError,
    StreamError,
    printable,
)
from upwire.net.http1 import HttpConnection, HttpExchange
from upwire.net.listener import Listener, show_address
from upwire.net.stream import Address, Stream
from upwire.net.websocket import Callbacks, WebSocket
from upwire.server.answer import date, error_response, refuse, send
from upwire.server.handler import check_websocket_handler, handler_name
from upwire.server.mounting import Mount, Site
from upwire.server.options import ServerKeywords, ServerOptions
from upwire.server.request import Request
from upwire.server.response import Response
from upwire.server.routes import (
    HttpHandler,
    Match,
    Resource,
    Routes,
    WebSocketEndpoint,
    WebSocketHandler,
)
from upwire.wire.frames import CloseCode, cut_reason
from upwire.wire.handshake import (
    ServerPolicy,
    check_request,
    explain_refusal,
    is_upgrade_request,
)
from upwire.wire.http1 import parse_request_head, serialize_response
from upwire.wire.websocket import Role

logger = logging.getLogger("upwire.server")

Application = Routes | WebSocketHandler | Mount

_STOP_REASON = "the server stops"
_Answer = TypeVar("_Answer")


def serve(
    application: Application,
    host: str | None = "127.0.0.1",
    port: int = 8080,
    *,
    unix: str | None = None,
    sock: socket.socket | None = None,
    ssl: SSLContext | None = None,
    **options: Unpack[ServerKeywords],
) -> Server:
    """Make a server of WebSockets: a handler that gets each one, Callbacks, or Routes.

        async with upwire.serve(handler, "127.0.0.1", 8080) as server:
            await server.wait_closed()

    Leaving the block stops it; `await serve(...)` starts it without a block. host None listens
    on all addresses, port 0 on a free one. unix, a path, or sock, a bound socket, take the place
    of both. ssl makes it wss://. See ServerOptions for the options.

    Raises LocalProtocolError for what cannot be a handler, a port or an option. Starting raises
    ConfigError where the address cannot be had.
    """
    return Server(
        application, host, port, unix=unix, sock=sock, ssl=ssl, options=ServerOptions(**options)
    )


class Server:
    """A server that serve() made."""

    def __init__(
        self,
        application: Application,
        host: str | None,
        port: int,
        *,
        unix: str | None,
        sock: socket.socket | None,
        ssl: SSLContext | None,
        options: ServerOptions,
    ) -> None:
        _check_port(port)
        self._match = application.match if isinstance(application, Routes) else _always(application)
        self._mounts = _mounts_of(application)
        self._host = host
        self._port = port
        self._unix = unix
        self._sock = sock
        self._options = options
        self._listener = Listener(
            self._serve_stream,
            on_octets=self._open_at_once,
            silence_s=options.timeouts.head_s,
            tls=ssl,
            max_connections=options.max_connections,
        )
        self._connections: set[HttpConnection] = set()
        self._site = Site(options)
        self._websockets = self._site.websockets
        self._terms: dict[int, _Terms] = {}
        self._is_started = False
        self._stopping: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __await__(self) -> Generator[Any, None, Self]:  # Any: what an event loop is sent
        return self.__aenter__().__await__()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens: host and port, or a path."""
        return self._listener.addresses

    @property
    def port(self) -> int:
        """The port of its first address, 0 for a unix socket.

        Raises LocalProtocolError before the start and after the stop.
        """
        if not self.addresses:
            raise LocalProtocolError("the server listens nowhere: it is not started, or stopped")
        address = self.addresses[0]
        return 0 if isinstance(address, str) else address[1]

    @property
    def websockets(self) -> frozenset[WebSocket]:
        """The WebSockets that are open or closing now."""
        return frozenset(self._websockets)

    @property
    def connections(self) -> int:
        """How many connections are open now, with or without a WebSocket."""
        return self._listener.connections

    @property
    def stop_timeout_s(self) -> float:
        """How long close() waits for them to end."""
        return self._options.stop_timeout_s

    async def start(self) -> None:
        """Listen. Raises ConfigError where the address cannot be had."""
        if self._is_started:
            return
        started: list[Mount] = []
        try:
            for mount in self._mounts:
                await mount.start()
                started.append(mount)
            self._listen()
        except BaseException:
            for mount in started:
                await mount.stop(0.0)
            raise
        self._is_started = True
        for address in self.addresses:
            logger.info("listening on %s", show_address(address))

    def _listen(self) -> None:
        if self._sock is not None:
            self._listener.inherit(self._sock)
        elif self._unix is not None:
            self._listener.bind_unix(self._unix)
        else:
            self._listener.bind(self._host, self._port)
        self._listener.start()

    async def serve_forever(self) -> None:
        """Start, and serve until close() is called or this is cancelled, which stops it too."""
        await self.start()
        try:
            await self.wait_closed()
        finally:
            await self.close()

    async def wait_closed(self) -> None:
        """Wait until it has stopped."""
        await self._closed.wait()

    async def close(self) -> None:
        """Stop: accept nothing more, close every WebSocket with 1001, let requests end.

        What has not ended within stop_timeout_s is cut.
        """
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop())
        await asyncio.shield(self._stopping)

    async def abort(self) -> None:
        """Stop at once: cut every connection and cancel its handler."""
        await self._listener.drain(0)
        await self.close()

    async def _stop(self) -> None:
        self._site.is_stopping = True
        self._listener.close()
        for connection in self._connections:
            connection.drain()
        for ws in self._websockets:
            ws.begin_close(self._options.stop_close_code, _STOP_REASON)
        for mount in self._mounts:
            mount.begin_stop()
        loop = asyncio.get_running_loop()
        deadline_at_s = loop.time() + self._options.stop_timeout_s
        await self._listener.drain(self._options.stop_timeout_s)
        for ws in tuple(self._websockets):
            ws.abort()  # its task was cancelled before it began
        for mount in self._mounts:
            await mount.stop(max(deadline_at_s - loop.time(), 0.0))
        self._closed.set()

    # A connection

    def _open_at_once(self, stream: Stream, octets: bytes) -> Coroutine[Any, Any, None] | None:
        """Make the opening handshake where octets are a right one; return what serves it then.

        For anything else, what is to be refused and what asks the application first among it, that
        is None: it goes the long way, in a task.
        """
        if self._stopping is not None or self._options.process_request is not None:
            return None
        try:
            found = parse_request_head(octets, self._options.limits)
            match = None if found is None else self._match(found[0].path)
            if found is None or match is None or match.resource.websocket is None:
                return None
            (head, head_octets), endpoint = found, match.resource.websocket
            options, policy = self._terms_of(endpoint)
            if policy.select_subprotocol is not None:
                return None
            accepted = check_request(head, policy)
        except RemoteProtocolError:
            return None
        response = accepted.response([("Date", date())])
        stream.unread(octets[head_octets:])
        stream.write(serialize_response(response))
        ws = WebSocket(
            stream,
            Role.SERVER,
            head,
            response,
            accepted,
            options=options,
            path_params=match.path_params,
        )
        self._websockets.add(ws)
        return self._serve_websocket(ws, endpoint.handler)

    async def _serve_stream(self, stream: Stream) -> asyncio.Task[None] | None:
        """Serve a connection's requests; return the task of the WebSocket that was opened, if any.

        All that HTTP needs ends with this call: an open WebSocket may stay for days.
        """
        opened = await self._serve_requests(stream)
        if not isinstance(opened, _Opened):
            return opened
        self._websockets.add(opened.websocket)
        return asyncio.create_task(self._serve_websocket(opened.websocket, opened.handler))

    async def _serve_requests(self, stream: Stream) -> _Opened | asyncio.Task[None] | None:
        """Serve requests until the connection ends or a WebSocket is open, and return that.

        A mount has begun to serve its WebSocket already, in the task that is returned.
        """
        connection = HttpConnection(
            stream,
            limits=self._options.limits,
            timeouts=self._options.timeouts,
            error_response=error_response,
        )
        opened: _Opened | asyncio.Task[None] | None = None

        async def serve_exchange(exchange: HttpExchange) -> None:
            nonlocal opened
            opened = await self._serve_exchange(exchange)

        self._connections.add(connection)
        if self._stopping is not None:  # it was accepted before, and reaches us only now
            connection.drain()
        try:
            await connection.serve(serve_exchange)
        finally:
            self._connections.discard(connection)
        return opened

    async def _serve_exchange(self, exchange: HttpExchange) -> _Opened | asyncio.Task[None] | None:
        """Answer a request; return the WebSocket that it has opened, if that is the answer."""
        request = Request(exchange, max_body_octets=self._options.max_body_octets)
        match = self._match(request.path)
        if match is not None:
            request.path_params = match.path_params
        hook = self._options.process_request
        response = None if hook is None else await _ask(hook, request, exchange)
        if response is not None:
            await send(exchange, response)
            return None
        try:
            if match is not None and (mount := match.resource.mount) is not None:
                return await mount.serve(exchange, match.resource.prefix, self._site)
            found = _choose(request, match)
            if isinstance(found, WebSocketEndpoint):
                return await self._open_websocket(exchange, request, found)
        except RemoteProtocolError as error:
            if _is_handshake(request):
                _log_refusal(request, error)
            await refuse(exchange, error)
            return None
        await send(exchange, await _ask(found, request, exchange))
        return None

    async def _open_websocket(
        self, exchange: HttpExchange, request: Request, endpoint: WebSocketEndpoint
    ) -> _Opened:
        """Make the opening handshake.

        Raises RemoteProtocolError, before anything is sent, for a handshake to refuse.
        """
        options, policy = self._terms_of(endpoint)
        accepted = check_request(request.head, policy)
        response = accepted.response([("Date", date())])
        ws = WebSocket(
            await exchange.switch(response),
            Role.SERVER,
            request.head,
            response,
            accepted,
            options=options,
            path_params=request.path_params,
            context=request.context,
        )
        return _Opened(ws, endpoint.handler)

    def _terms_of(self, endpoint: WebSocketEndpoint) -> tuple[ServerOptions, ServerPolicy]:
        """Return what holds for an endpoint's WebSockets; worked out at its first handshake."""
        terms = self._terms.get(id(endpoint))
        if terms is None:
            options = replace(self._options, **endpoint.overrides)
            terms = self._terms[id(endpoint)] = _Terms(endpoint, options, options.policy)
        return terms.options, terms.policy

    async def _serve_websocket(self, ws: WebSocket, handler: WebSocketHandler) -> None:
        """Run the handler of a WebSocket, close, and see the WebSocket to its end."""
        try:
            if self._stopping is not None:
                ws.begin_close(self._options.stop_close_code, _STOP_REASON)
            try:
                if isinstance(handler, Callbacks):
                    ws.push_to(handler)  # and they close when they like
                else:
                    await handler(ws)
                    ws.begin_close()
            except Exception as error:  # noqa: BLE001 - it is the application's
                _close_behind(handler, ws, error)
            await ws.wait_closed()
        finally:
            ws.abort()  # where this is cancelled; otherwise it is closed
            self._websockets.discard(ws)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What holds for an endpoint, which is kept so that its id stays its own."""

    endpoint: WebSocketEndpoint
    options: ServerOptions
    policy: ServerPolicy


@dataclass(frozen=True, slots=True)
class _Opened:
    """A WebSocket whose opening handshake is done, and whose handler is to run."""

    websocket: WebSocket
    handler: WebSocketHandler


def _always(application: WebSocketHandler | Mount) -> Callable[[str], Match]:
    """Return a match of every path with one handler. Raises LocalProtocolError if it is none."""
    if isinstance(application, Mount):
        match = Match(Resource(mount=application), {})
    else:
        check_websocket_handler(application)
        match = Match(Resource(WebSocketEndpoint(application)), {})
    return lambda path: match


def _mounts_of(application: Application) -> list[Mount]:
    if isinstance(application, Routes):
        return application.mounts
    return [application] if isinstance(application, Mount) else []


def _check_port(port: object) -> None:
    """Raise LocalProtocolError for what is no port; applications may be untyped."""
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise LocalProtocolError(f"port is an int of 0 to 65535, not {port!r:.80}")


def _is_handshake(request: Request) -> bool:
    """Whether a WebSocket client made the request, even if a proxy took its Upgrade away."""
    return is_upgrade_request(request.head) or "Sec-WebSocket-Key" in request.headers


def _log_refusal(request: Request, error: RemoteProtocolError) -> None:
    where = _where(request.remote_address, request.path)
    logger.warning("handshake refused %s: %s", where, printable(explain_refusal(error)))


def _where(peer: Address, what: str) -> str:
    return f"for {show_address(peer)} at {printable(what[:200])}"


def _choose(request: Request, match: Match | None) -> WebSocketEndpoint | HttpHandler:
    """Return what a request is for.

    Raises RemoteProtocolError: 404 for a path without anything, 405 for another method.
    """
    if match is None:
        raise RemoteProtocolError(
            f"nothing is at {request.path[:200]}", "RFC 9110 §15.5.5", status=404
        )
    resource = match.resource
    handler = resource.handler_for(request.method)
    wants_websocket = request.method == "GET" and is_upgrade_request(request.head)
    if resource.websocket is not None and (
        wants_websocket or (handler is None and request.method == "GET")
    ):
        return resource.websocket
    if handler is None:
        raise RemoteProtocolError(
            f"{request.path[:200]} has no {request.method[:32]}",
            "RFC 9110 §15.5.6",
            status=405,
            headers=[("Allow", resource.allowed)],
        )
    return handler


async def _ask(
    handler: Callable[[Request], Awaitable[_Answer]], request: Request, exchange: HttpExchange
) -> _Answer | Response:
    """Return the handler's answer; one that fails is logged, and the client told no more than 500.

    What the client did wrong, or that it is gone, is for the connection to deal with.
    """
    try:
        return await handler(request)
    except Exception as error:
        if _is_of_client(error, exchange):
            raise
        where = _where(request.remote_address, f"{request.method} {request.path}")
        logger.exception("handler %s failed %s", handler_name(handler), where)
        return Response.text("500 Internal Server Error\n", 500)


def _is_of_client(error: Exception, exchange: HttpExchange) -> bool:
    """Whether the client made a handler fail; if not, that or a server that it asked failed."""
    if isinstance(error, StreamError):
        return exchange.is_cut
    return isinstance(error, RemoteProtocolError) and not isinstance(error, HandshakeRefused)


def _close_behind(handler: WebSocketHandler, ws: WebSocket, error: Exception) -> None:
    """Begin to close behind a handler that failed: with 1011, and no details."""
    where = _where(ws.remote_address, ws.request.path)
    if isinstance(error, (ConnectError, HandshakeRefused)):  # of a server that the handler asked
        logger.warning("handler %s failed %s: %s", handler_name(handler), where, error)
    elif isinstance(error, (ConnectionClosed, StreamError)):
        logger.debug("%r: %s", ws, error)
    elif isinstance(error, RemoteProtocolError):
        ws.begin_close(error.close_code, cut_reason(error.message))
    else:
        logger.error("handler %s failed %s", handler_name(handler), where, exc_info=error)
    ws.begin_close(CloseCode.INTERNAL_ERROR)
