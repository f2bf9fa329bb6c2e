"""`Listener`: bind or inherit sockets, accept within limits, own every connection, drain."""

from __future__ import annotations

import asyncio
import errno
import logging
import math
import os
import socket
import ssl
import stat
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import ExitStack
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from upwire.errors import ConfigError, Problem, StreamError
from upwire.net.engine.driver import is_available
from upwire.net.engine.transport import open_stream
from upwire.net.newcomers import Newcomers
from upwire.net.stream import TURNS_TO_READ, Address, Stream
from upwire.net.tls import explain

BACKLOG = 511
"""Connections that the system holds for us before we accept them; nginx's number."""

TLS_HANDSHAKE_TIMEOUT_S = 60.0
"""How long a client may take for the TLS handshake; nginx counts it as reading the head."""

ACCEPTS_A_TURN = 64
"""Connections taken from one socket before others get their turn."""

CANCEL_TIMEOUT_S = 1.0
"""How long a task of a cut connection may go on; a handler may ignore that it is cancelled."""

REST_S = 0.5
"""How long to stop accepting when the system is out of descriptors or memory; as nginx."""

TASK_NAME = "connection"
"""Of tasks that may last: a name of its own takes 60 octets."""

OnOctets = Callable[[Stream, bytes], Coroutine[Any, Any, None] | None]  # Any: of coroutines

_SocketAddress = tuple[str | int | bytes, ...]

_logger = logging.getLogger(__name__)


class Listener:
    """Accepts connections and runs on_stream on each, in a task of its own that it owns.

    When on_stream returns, its Stream is closed if it was not; where it returns a task, the
    connection is that task's, which is owned in its place.

    on_octets, where it is given, is called with the first octets of a connection, before there is
    a task: it may take the Stream over, and returns what serves it then, in a task; for None,
    on_stream gets it. silence_s: how long a connection may send none before it is closed.

    At max_connections it stops
    accepting: newcomers wait in the system's backlog until one leaves, as refusing them would
    only make them come back. Leaving `async with` cuts what `drain()` has not ended.
    """

    def __init__(
        self,
        on_stream: Callable[[Stream], Awaitable[asyncio.Task[None] | None]],
        *,
        on_octets: OnOctets | None = None,
        silence_s: float = math.inf,
        tls: ssl.SSLContext | None = None,
        max_connections: int | None = None,
        backlog: int = BACKLOG,
    ) -> None:
        self._on_stream = on_stream
        self._on_octets = on_octets
        self._newcomers = Newcomers(self._meet, self._regulate_accepting, silence_s)
        self._tls = tls
        self._max_connections = max_connections
        self._backlog = backlog
        self._sockets: list[socket.socket] = []
        self._unix_paths: list[_UnixPath] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._on_end = self._forget_owned
        self._context = copy_context()
        self._taken_over = 0  # connections that go on without a task
        self._is_started = False
        self._is_accepting = False
        self._is_exhausted = False  # said once, until everybody who waits was accepted
        self._rest: asyncio.TimerHandle | None = None

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens, with the ports that the system chose for 0."""
        names = [sock.getsockname() for sock in self._sockets]
        return tuple(name if isinstance(name, str) else (name[0], name[1]) for name in names)

    @property
    def connections(self) -> int:
        """How many connections are open, those in their TLS handshake among them."""
        return len(self._tasks) + len(self._newcomers) + self._taken_over

    def bind(self, host: str | None, port: int) -> None:
        """Listen on every address of host, all of the machine's for None; port 0 lets it choose.

        An address that the machine lacks, such as ::1 of localhost where there is no IPv6, is
        passed over if another is there. Connections wait for `start()`. Raises ConfigError that
        names the address, and listens on none then.
        """
        for sock in _listen_on_each(_resolve(host, port), port, self._backlog):
            self._add(sock)

    def bind_unix(self, path: str) -> None:
        """Listen on a unix socket, in place of one that nobody listens on any more.

        Raises ConfigError that names the path.
        """
        try:
            sock = _listen(socket.AF_UNIX, path, self._backlog)
        except ConfigError:
            if not _is_stale(path):
                raise
            os.unlink(path)
            sock = _listen(socket.AF_UNIX, path, self._backlog)
        self._add(sock)
        self._unix_paths.append(_UnixPath(path, os.lstat(path).st_ino))

    def inherit(self, sock: socket.socket | int) -> None:
        """Listen on a bound socket, or its descriptor, that somebody else made; it is ours now."""
        try:
            taken = socket.socket(fileno=sock) if isinstance(sock, int) else sock
            taken.setblocking(False)
            taken.listen(self._backlog)
        except OSError as error:
            raise _cannot_listen(f"inherited socket {sock}", explain(error)) from error
        self._add(taken)

    def start(self) -> None:
        """Begin to accept. Called with the loop running."""
        self._is_started = True
        self._regulate_accepting()

    def close(self) -> None:
        """Stop accepting for good and give the addresses back; connections go on."""
        self._is_started = False
        self._regulate_accepting()
        if self._rest is not None:
            self._rest.cancel()
        for sock in self._sockets:
            sock.close()
        self._sockets.clear()
        for path in self._unix_paths:
            path.remove()
        self._unix_paths.clear()

    async def wait_connections(self) -> None:
        """Wait until no connection is open."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def leave_paths(self) -> None:
        """Leave the unix sockets' names in the file system to whoever shares the sockets."""
        self._unix_paths.clear()

    async def drain(self, deadline_s: float) -> int:
        """Stop accepting, and let connections end by themselves for deadline_s; cut the rest.

        Returns how many were cut. To hurry the others on is up to whoever speaks on them; those
        that have said nothing are closed.
        """
        self.close()
        loop = asyncio.get_running_loop()
        for _ in range(TURNS_TO_READ):
            await asyncio.sleep(0)
        for stream in self._newcomers.leave():
            self._own(asyncio.create_task(self._see_off(stream)), stream)
        deadline_at_s = loop.time() + deadline_s
        while self._tasks:  # one that ends may leave another in its place
            left_s = max(deadline_at_s - loop.time(), 0.0)
            _, rest = await asyncio.wait(self._tasks, timeout=left_s)
            if rest:
                for task in rest:
                    task.cancel()
                await asyncio.wait(rest, timeout=CANCEL_TIMEOUT_S)
                return len(rest)
        return 0

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.drain(0)

    def _add(self, sock: socket.socket) -> None:
        if sock.family != socket.AF_UNIX:  # accepted sockets have it from here
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sockets.append(sock)
        if self._is_accepting:
            asyncio.get_running_loop().add_reader(sock, self._accept, sock)

    def _regulate_accepting(self) -> None:
        """Watch the sockets exactly while there is room for one more connection."""
        is_full = self._max_connections is not None and self.connections >= self._max_connections
        wanted = self._is_started and self._rest is None and not is_full
        if wanted is self._is_accepting:
            return
        self._is_accepting = wanted
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            if wanted:
                loop.add_reader(sock, self._accept, sock)
            else:
                loop.remove_reader(sock)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_A_TURN):
            if not self._is_accepting:
                return
            try:
                sock, _ = listening.accept()
            except BlockingIOError:
                self._is_exhausted = False
                return
            except ConnectionAbortedError:
                return
            except OSError as error:
                self._take_rest(error)
                return
            self._begin(sock)
            self._regulate_accepting()

    def _begin(self, sock: socket.socket) -> None:
        """Own an accepted connection from now on: the engine carries it, or else asyncio."""
        sock.setblocking(False)
        if self._tls is None and is_available():
            try:
                stream = open_stream(sock)
            except OSError as error:  # reset already, or no memory for it
                _logger.info("connection is lost: %s", explain(error))
                sock.close()
            else:
                self._welcome(stream)
            return
        task = asyncio.create_task(self._serve(sock))
        self._tasks.add(task)
        task.add_done_callback(partial(self._forget, sock))

    def _welcome(self, stream: Stream) -> None:
        """Run what serves a new connection; wait for its first octets before, where they decide.

        One whose TLS handshake outlasts the listening is closed then: it has said nothing.
        """
        stream.keeper = self
        if self._on_octets is None:
            self._own(asyncio.create_task(self._run(stream)), stream)
        elif not self._is_started:
            self._own(asyncio.create_task(self._see_off(stream)), stream)
        else:
            self._newcomers.add(stream)

    def _meet(self, stream: Stream, octets: bytes) -> None:
        """Serve a newcomer, whose first octets have come."""
        assert self._on_octets is not None
        serving = self._on_octets(stream, octets)
        if serving is not None:
            self._own(asyncio.create_task(serving, name=TASK_NAME))
        else:
            stream.unread(octets)
            self._own(asyncio.create_task(self._run(stream)), stream)

    def _take_rest(self, error: OSError) -> None:
        """Survive EMFILE and the like: the connection stays in the backlog, we come back to it."""
        if not self._is_exhausted:
            _logger.error("accept() failed: %s; trying again every %g s", explain(error), REST_S)
        self._is_exhausted = True
        self._rest = asyncio.get_running_loop().call_later(REST_S, self._end_rest)
        self._regulate_accepting()

    def _end_rest(self) -> None:
        self._rest = None
        self._regulate_accepting()

    def _forget(self, sock: socket.socket, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # before its first step, it may be, which makes a Stream of it
            sock.close()
        self._tasks.discard(task)
        self._regulate_accepting()

    async def _serve(self, sock: socket.socket) -> None:
        """Own one connection from accept() to its end."""
        try:
            stream = await self._open_stream(sock)
        except OSError as error:
            _logger.info("TLS handshake failed: %s", explain(error))
            sock.close()
        else:
            self._welcome(stream)

    def stream_gone(self) -> None:
        """Count a connection no more whose Stream was taken over."""
        self._taken_over -= 1
        self._regulate_accepting()

    async def _run(self, stream: Stream) -> None:
        heir: asyncio.Task[None] | None = None
        try:
            heir = await self._on_stream(stream)
        except asyncio.CancelledError:
            stream.abort()
            raise
        except StreamError as error:
            _logger.info("connection of %s: %s", stream.peer_address, error)
        except Exception:
            _logger.exception("connection of %s failed", stream.peer_address)
            stream.abort()
        finally:
            if stream.keeper is None:
                self._taken_over += 1
            elif heir is None:
                await self._see_off(stream)
            else:
                self._own(heir)

    async def _see_off(self, stream: Stream) -> None:
        stream.close()
        try:
            await stream.wait_closed()
        finally:
            stream.abort()

    def _own(self, task: asyncio.Task[None], stream: Stream | None = None) -> None:
        """Own a task that goes on with a connection; stream: what it closes, once it has begun.

        What tells of its end is shared, as the task may be an idle WebSocket's.
        """
        self._tasks.add(task)
        if stream is not None:
            task.add_done_callback(partial(self._abort_cancelled, stream))
        task.add_done_callback(self._on_end, context=self._context)

    def _abort_cancelled(self, stream: Stream, task: asyncio.Task[None]) -> None:
        if task.cancelled():  # before its first step, it may be
            stream.abort()

    def _forget_owned(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._regulate_accepting()
        if not task.cancelled() and (error := task.exception()) is not None:
            _logger.error("a connection failed", exc_info=error)

    async def _open_stream(self, sock: socket.socket) -> Stream:
        """Make a Stream, after the TLS handshake where there is one."""
        timeout_s = None if self._tls is None else TLS_HANDSHAKE_TIMEOUT_S
        stream = Stream()  # kept here: what uvloop returns for it over TLS is a protocol of its own
        await asyncio.get_running_loop().connect_accepted_socket(
            lambda: stream, sock, ssl=self._tls, ssl_handshake_timeout=timeout_s
        )
        return stream


def listen(host: str | None, port: int, unix: str | None = None) -> socket.socket:
    """Listen on one address of host, or on a unix socket, for processes that share the socket.

    Each of them has a Listener inherit it. Raises ConfigError that names the address.
    """
    if unix is None:
        family, address = next(iter(_resolve(host, port)))
        return _listen(family, address, BACKLOG)
    if _is_stale(unix):
        os.unlink(unix)
    return _listen(socket.AF_UNIX, unix, BACKLOG)


def show_address(address: _SocketAddress | str) -> str:
    """Return an address as logs and URLs have it; a peer behind a unix socket is "unix:"."""
    if isinstance(address, str):
        return f"unix:{address}"
    host, port = address[0], address[1]
    return f"[{host!s}]:{port!s}" if ":" in str(host) else f"{host!s}:{port!s}"


@dataclass(frozen=True, slots=True)
class _UnixPath:
    """A unix socket of ours in the file system, known by its inode."""

    path: str
    inode: int

    def remove(self) -> None:
        """Remove it, unless somebody else has put theirs there in the meantime."""
        try:
            if os.lstat(self.path).st_ino == self.inode:
                os.unlink(self.path)
        except FileNotFoundError:
            return


def _resolve(host: str | None, port: int) -> dict[tuple[int, _SocketAddress], None]:
    """Return the addresses of host in order, each once. Raises ConfigError."""
    shown = f"{host or '*'}:{port}"
    if not 0 <= port <= 65535:
        raise _cannot_listen(shown, "a port is 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise _cannot_listen(shown, explain(error)) from error
    except UnicodeError as error:
        raise _cannot_listen(shown, "not a host name") from error
    return dict.fromkeys((family, address) for family, _, _, _, address in found)


def _listen_on_each(
    addresses: Iterable[tuple[int, _SocketAddress]], port: int, backlog: int
) -> list[socket.socket]:
    """Listen on all addresses that the machine has, on one port; on none where that fails."""
    sockets: list[socket.socket] = []
    absent: ConfigError | None = None
    with ExitStack() as opened:
        for family, address in addresses:
            try:
                sock = _listen(family, (address[0], port, *address[2:]), backlog)
            except ConfigError as error:
                if not _is_absent(error):
                    raise
                absent = error
            else:
                sockets.append(opened.enter_context(sock))
                port = sock.getsockname()[1]
        if absent is not None and not sockets:
            raise absent
        opened.pop_all()
    return sockets


def _listen(family: int, address: _SocketAddress | str, backlog: int) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise _cannot_listen(show_address(address), explain(error)) from error
    try:
        sock.setblocking(False)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise _cannot_listen(show_address(address), explain(error)) from error
    return sock


def _is_absent(error: ConfigError) -> bool:
    """Whether the machine lacks the address, or its whole family."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def _is_stale(path: str) -> bool:
    """Whether a unix socket lies at path on which nobody listens."""
    if not os.path.lexists(path) or not stat.S_ISSOCK(os.lstat(path).st_mode):
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path) == errno.ECONNREFUSED


def _cannot_listen(address: str, reason: str) -> ConfigError:
    return ConfigError([Problem(f"cannot listen on {address}: {reason}")])
