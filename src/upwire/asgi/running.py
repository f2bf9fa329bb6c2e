"""`run_asgi()`: an application until a signal stops it, within a deadline whatever it does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl as tls
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TypedDict, Unpack

from upwire.asgi.application import AsgiApplication
from upwire.asgi.interface import AsgiCallable
from upwire.asgi.lifespan import Mode
from upwire.asgi.loop_watch import ExitDeadline, LoopWatch
from upwire.net.loop import run_in_loop
from upwire.server import Application, Server, ServerKeywords, serve
from upwire.server.running import announce
from upwire.wire.frames import CloseCode

ABORT_TIMEOUT_S = 1.0
"""How long the process may go on behind a second signal."""

UNIX_MODE = 0o666
"""Of a unix socket's path, as nginx and uvicorn have it: a proxy is mostly another user."""

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_RESERVE_S = 2.0  # of the time to stop, for what comes behind the connections: lifespan's end


class AsgiKeywords(TypedDict, total=False):
    """What an AsgiApplication can be told, as keyword arguments."""

    root_path: str
    forwarded_allow_ips: str | None
    limit_concurrency: int | None
    lifespan: Mode
    access_log: bool


def run_asgi(
    app: AsgiCallable,
    host: str | None = "127.0.0.1",
    port: int = 8000,
    *,
    uds: str | None = None,
    sock: socket.socket | None = None,
    ssl: tls.SSLContext | None = None,
    ws_max_size: int = 2**24,
    ws_ping_interval: float | None = 20.0,
    ws_ping_timeout: float | None = 20.0,
    timeout_graceful_shutdown: float = 10.0,
    **options: Unpack[AsgiKeywords],
) -> None:
    """Serve an ASGI application until SIGINT or SIGTERM.

    Every WebSocket is closed with 1012 then, the application is told, and the process ends
    within timeout_graceful_shutdown, by force if the application does not let it. Names that are
    uvicorn's mean what they mean there; times are in seconds, ws_ping_interval 0 or None is no
    pings. options are AsgiApplication's. Called in the main thread, where no event loop runs.
    """
    run_application(
        AsgiApplication(app, **options),
        host,
        port,
        uds=uds,
        sock=sock,
        ssl=ssl,
        timeout_s=timeout_graceful_shutdown,
        max_message_octets=ws_max_size,
        ping_interval_s=ws_ping_interval or None,
        ping_timeout_s=ws_ping_timeout or None,
    )


def run_application(
    application: Application,
    host: str | None,
    port: int,
    *,
    uds: str | None = None,
    sock: socket.socket | None = None,
    ssl: tls.SSLContext | None = None,
    timeout_s: float = 10.0,
    on_start: Callable[[Server], None] | None = None,
    **options: Unpack[ServerKeywords],
) -> None:
    """Do as run_asgi() does, for whatever a server serves: applications beside handlers too.

    timeout_s: how long after a signal the process ends at the latest. options are serve()'s.
    """
    # Connections get less of it: behind them comes the end of the application's lifespan.
    stop_timeout_s = max(timeout_s - _RESERVE_S, timeout_s / 2)
    options.setdefault("stop_timeout_s", stop_timeout_s)
    options.setdefault("stop_close_code", CloseCode.SERVICE_RESTART)
    options.setdefault("close_timeout_s", stop_timeout_s / 2)
    say_started = on_start or partial(announce, scheme="http" if ssl is None else "https")
    deadline = ExitDeadline()

    async def main() -> None:
        server = serve(application, host, port, unix=uds, sock=sock, ssl=ssl, **options)
        with LoopWatch(), _stopped_by_signals(server, deadline, timeout_s):
            await server.start()
            if uds is not None:
                os.chmod(uds, UNIX_MODE)
            say_started(server)
            await server.serve_forever()

    try:
        run_in_loop(main())
    finally:
        deadline.cancel()


@contextmanager
def _stopped_by_signals(server: Server, deadline: ExitDeadline, timeout_s: float) -> Iterator[None]:
    """Stop the server at a signal, within timeout_s; at a second one, at once.

    Python's own handlers, since the loop calls those that it has only when it is not blocked.
    """
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []
    signals = 0

    def begin_stop() -> None:
        tasks.append(asyncio.create_task(server.abort() if tasks else server.close()))

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        deadline.set(timeout_s if signals == 1 else ABORT_TIMEOUT_S)
        loop.call_soon_threadsafe(begin_stop)

    before = {number: signal.signal(number, stop) for number in _STOP_SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
