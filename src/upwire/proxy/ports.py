"""The open listen addresses of the proxy: bound before anything is served, changed at a reload."""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable

from upwire.conf.model import Config, Listen
from upwire.errors import ConfigError, Problem
from upwire.net.listener import BACKLOG, Listener
from upwire.net.stream import Address, Stream
from upwire.proxy.route import ListenAddress, Router

_MENDS = {  # by the system's error at bind() or listen()
    errno.EADDRINUSE: "another process listens there: stop it, or change this listen",
    errno.EACCES: "only root may listen there: a port from 1024 on is for everybody",
    errno.EADDRNOTAVAIL: "this machine has no such address",
}

OnStream = Callable[[ListenAddress, Stream], Awaitable[None]]


class Ports:
    """Every listening socket, by its address. Processes that a fork makes share them."""

    __slots__ = ("_is_started", "_listeners", "_on_stream", "_prefix")

    def __init__(self, prefix: str) -> None:
        self._on_stream: OnStream | None = None
        self._prefix = prefix
        self._listeners: dict[ListenAddress, Listener] = {}
        self._is_started = False

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return sum(listener.connections for listener in self._listeners.values())

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens, in the order of the configuration."""
        return tuple(
            address for listener in self._listeners.values() for address in listener.addresses
        )

    def open(self, config: Config, router: Router) -> list[Listener]:
        """Bind what config asks for and is not open yet, and return what it asks for no more.

        All or nothing: raises ConfigError with every address that could not be bound.
        """
        wanted = router.addresses_to_bind()
        opened: dict[ListenAddress, Listener] = {}
        problems: list[Problem] = []
        for address in wanted:
            if address not in self._listeners:
                try:
                    opened[address] = self._bind(address, config)
                except ConfigError as error:
                    problems.extend(error.problems)
        if problems:
            for listener in opened.values():
                listener.close()
            raise ConfigError(problems)
        leaving = [address for address in self._listeners if address not in wanted]
        left = [self._listeners.pop(address) for address in leaving]
        self._listeners |= opened
        if self._is_started:
            for listener in opened.values():
                listener.start()
        return left

    def start(self, on_stream: OnStream) -> None:
        """Begin to accept, with the loop running.

        on_stream gets each connection with the address of the socket that took it.
        """
        self._on_stream = on_stream
        self._is_started = True
        for listener in self._listeners.values():
            listener.start()

    def share(self) -> None:
        """Leave the names of unix sockets to the process that has made us."""
        for listener in self._listeners.values():
            listener.leave_paths()

    def close(self) -> None:
        """Accept nothing more; connections go on."""
        for listener in self._listeners.values():
            listener.close()

    async def wait_connections(self) -> None:
        """Wait until no connection is open."""
        for listener in self._listeners.values():
            await listener.wait_connections()

    async def drain(self, deadline_s: float) -> None:
        """Wait for the connections to end, and cut what is left after deadline_s."""
        for listener in self._listeners.values():
            await listener.drain(deadline_s)

    def _bind(self, address: ListenAddress, config: Config) -> Listener:
        listen = _first_listen(address, config)

        async def serve(stream: Stream) -> None:
            assert self._on_stream is not None
            await self._on_stream(address, stream)

        listener = Listener(
            serve,
            max_connections=config.main.worker_connections,
            backlog=listen.backlog or BACKLOG,
        )
        try:
            if listen.unix is not None:
                listener.bind_unix(listen.unix)
            else:
                listener.bind(listen.host.strip("[]"), listen.port)
        except ConfigError as error:
            raise ConfigError([_explain_bind(listen, error)]) from error
        return listener


def _explain_bind(listen: Listen, error: ConfigError) -> Problem:
    """Return why an address could not be bound, as nginx says it, with the `listen` to look at."""
    place = (listen.position.file, listen.position.line, listen.position.column)
    cause = error.__cause__
    number = cause.errno if isinstance(cause, OSError) else None
    if number is None or number <= 0:  # not the system's word, but the resolver's or ours
        return Problem(error.problems[0].message, *place)
    address = f"unix:{listen.unix}" if listen.unix is not None else f"{listen.host}:{listen.port}"
    message = f"bind() to {address} failed ({number}: {os.strerror(number)})"
    if number not in _MENDS:
        return Problem(message, *place)
    return Problem(message, *place, mend=_MENDS[number])


def _first_listen(address: ListenAddress, config: Config) -> Listen:
    """Return the `listen` whose options make the socket: the default server's, or the first."""
    found = [
        listen
        for server in config.servers
        for listen in server.listens
        if address == ((listen.unix, 0) if listen.unix else (listen.host, listen.port))
    ]
    return next((listen for listen in found if listen.is_default_server), found[0])
