"""`run()`: a server until a signal stops it."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from ssl import SSLContext
from typing import Unpack

from upwire.errors import ConfigError
from upwire.net.listener import show_address
from upwire.net.loop import run_in_loop
from upwire.server.options import ServerKeywords
from upwire.server.service import Application, Server, serve

WAIT_SHOWN_AFTER_S = 0.5
"""How long a stop goes on before it says what it waits for; most have ended by then."""

_STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(
    application: Application,
    host: str | None = "127.0.0.1",
    port: int = 8080,
    *,
    unix: str | None = None,
    sock: socket.socket | None = None,
    ssl: SSLContext | None = None,
    on_start: Callable[[Server], None] | None = None,
    **options: Unpack[ServerKeywords],
) -> None:
    """Serve until SIGINT or SIGTERM, then stop in order; a second signal cuts everything.

    on_start is called once the server listens; without one, a line on stderr says where. For the
    rest see serve(). Called in the main thread, where no event loop runs.
    """
    server = serve(application, host, port, unix=unix, sock=sock, ssl=ssl, **options)
    say_started = on_start or partial(announce, scheme="ws" if ssl is None else "wss")

    async def main() -> None:
        with _stopped_by_signals(server):
            await server.start()
            say_started(server)
            await server.serve_forever()

    try:
        run_in_loop(main())
    except ConfigError as error:
        raise error from None  # it says all that the system's error does


def announce(server: Server, scheme: str) -> None:
    """Say on stderr where a server listens."""
    where = ", ".join(
        show_address(address)
        if isinstance(address, str)
        else f"{scheme}://{show_address(address)}/"
        for address in server.addresses
    )
    _say(f"listening on {where} (Ctrl-C stops)")


@contextmanager
def _stopped_by_signals(server: Server) -> Iterator[None]:
    """Stop the server at SIGINT and SIGTERM; at a second one, at once."""
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []

    def stop() -> None:
        if not tasks:
            loop.call_later(WAIT_SHOWN_AFTER_S, _show_wait, server)
        tasks.append(asyncio.create_task(server.abort() if tasks else server.close()))

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)


def _show_wait(server: Server) -> None:
    """Say what a stop waits for, if it still does."""
    count = server.connections
    if count:
        connections = "1 connection" if count == 1 else f"{count} connections"
        timeout = f"{server.stop_timeout_s:g} s"
        _say(f"waiting up to {timeout} for {connections}; Ctrl-C again stops at once")


def _say(line: str) -> None:
    print(f"upwire: {line}", file=sys.stderr, flush=True)
