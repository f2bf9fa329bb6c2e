"""`dial()`: resolve, connect and speak TLS under one deadline. The only way out."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest

from upwire.errors import ConnectError
from upwire.net.engine.driver import is_available
from upwire.net.engine.transport import open_stream
from upwire.net.stream import Stream
from upwire.net.tls import explain

ATTEMPT_DELAY_S = 0.25
"""How long one address may take before the next is tried beside it (RFC 8305 §5)."""

ResolvedAddress = tuple[socket.AddressFamily, tuple[str | int | bytes, ...] | str]
"""A socket family, and an address as connect() takes it."""


async def dial(
    host: str,
    port: int,
    *,
    unix: str | None = None,
    tls: ssl.SSLContext | None = None,
    server_hostname: str | None = None,
    timeout_s: float,
    resolve: Mapping[str, str] | None = None,
    local_address: str | None = None,
    local_port: int = 0,
    is_transparent: bool = False,
) -> Stream:
    """Connect to host and port, or to the unix socket at that path, within timeout_s.

    Of several addresses the quickest wins (RFC 8305). tls asks for TLS; server_hostname is the
    name to ask for and to verify, host where it is not given. resolve maps lower-case names to
    addresses, before the resolver is asked. local_address is the address to connect from, with
    local_port, 0 for any; is_transparent: it is not one of the machine's.
    Raises ConnectError, caused by the OSError where there was one.
    """
    attempt = _Attempt(f"unix:{unix}" if unix is not None else _host_port(host, port))
    try:
        async with asyncio.timeout(timeout_s):
            if unix is not None:
                addresses: Sequence[ResolvedAddress] = [(socket.AF_UNIX, unix)]
            else:
                addresses = await _resolve(host, port, resolve or {})
            attempt.phase = "connecting"
            local = _Local(local_address, local_port, is_transparent) if local_address else None
            sock = await _connect_to_quickest(addresses, local)
            attempt.phase = "TLS handshake"
            return await _open_stream(sock, tls, server_hostname or host)
    except TimeoutError as error:
        reason = f"timed out after {timeout_s:g} s"  # by us; otherwise by the system, with errno
        raise attempt.error(error.strerror or reason, is_timeout=True) from error
    except OSError as error:
        raise attempt.error(explain(error)) from error
    except (UnicodeError, ValueError) as error:  # a name that IDNA or TLS cannot express
        raise attempt.error(f"not a host name: {error}") from error


@dataclass(frozen=True, slots=True)
class _Local:
    """Where a connection comes from."""

    address: str
    port: int
    is_transparent: bool

    def bind(self, sock: socket.socket) -> None:
        if self.is_transparent:
            sock.setsockopt(socket.SOL_IP, socket.IP_TRANSPARENT, 1)
        sock.bind((self.address, self.port))


@dataclass(slots=True)
class _Attempt:
    """How far a dial has come, for the error that may end it."""

    address: str
    phase: str = "resolving"

    def error(self, reason: str, *, is_timeout: bool = False) -> ConnectError:
        where = {"resolving": "resolving", "connecting": "connecting to"}
        doing = where.get(self.phase, f"{self.phase} with")
        return ConnectError(
            f"{doing} {self.address}: {reason}",
            phase=self.phase,
            address=self.address,
            is_timeout=is_timeout,
        )


async def _resolve(host: str, port: int, table: Mapping[str, str]) -> list[ResolvedAddress]:
    name = table.get(host.lower(), host).strip("[]")
    literal = _parse_literal(name, port)
    if literal is not None:
        return [literal]
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(name, port, type=socket.SOCK_STREAM)
    return _interleave([(family, address) for family, _, _, _, address in found])


def _parse_literal(name: str, port: int) -> ResolvedAddress | None:
    """Return the address that a name spells out, None for one that has to be looked up.

    The system's resolver would be asked in a thread, which costs more than to connect.
    """
    for family, address in (
        (socket.AF_INET, (name, port)),
        (socket.AF_INET6, (name, port, 0, 0)),
    ):
        with suppress(OSError, ValueError):
            socket.inet_pton(family, name)
            return family, address
    return None


def _interleave(addresses: Sequence[ResolvedAddress]) -> list[ResolvedAddress]:
    """Alternate the families, the resolver's first choice first (RFC 8305 §4)."""
    first = [address for address in addresses if address[0] == addresses[0][0]]
    rest = [address for address in addresses if address[0] != addresses[0][0]]
    pairs = zip_longest(first, rest)
    return [address for pair in pairs for address in pair if address is not None]


async def _connect_to_quickest(
    addresses: Sequence[ResolvedAddress], local: _Local | None
) -> socket.socket:
    """Try the addresses one after the other, without waiting long for any (RFC 8305 §5).

    Raises the OSError of the first address when all have failed.
    """
    if len(addresses) == 1:
        return await _connect(addresses[0], local)
    attempts: list[asyncio.Task[socket.socket]] = []
    waiting = list(addresses)
    winner: asyncio.Task[socket.socket] | None = None
    try:
        while winner is None:
            pending = [attempt for attempt in attempts if not attempt.done()]
            if waiting:
                attempt = asyncio.create_task(_connect(waiting.pop(0), local))
                attempts.append(attempt)
                pending.append(attempt)
            elif not pending:
                return attempts[0].result()
            delay_s = ATTEMPT_DELAY_S if waiting else None
            done, _ = await asyncio.wait(
                pending, timeout=delay_s, return_when=asyncio.FIRST_COMPLETED
            )
            winner = next((attempt for attempt in done if attempt.exception() is None), None)
        return winner.result()
    finally:
        for attempt in attempts:
            if attempt is not winner:
                attempt.cancel()
                attempt.add_done_callback(_close_connected)


async def _connect(address: ResolvedAddress, local: _Local | None) -> socket.socket:
    family, name = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if local is not None and family != socket.AF_UNIX:
            local.bind(sock)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, name)
    except BaseException:
        sock.close()
        raise
    return sock


def _close_connected(attempt: asyncio.Task[socket.socket]) -> None:
    """Close what came of an attempt that lost, without a wait that could be cancelled."""
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()


async def _open_stream(
    sock: socket.socket, tls: ssl.SSLContext | None, server_hostname: str
) -> Stream:
    """Make a Stream of a connected socket; the socket is closed where that fails."""
    if tls is None and is_available():
        try:
            return open_stream(sock)
        except OSError:
            sock.close()
            raise
    loop = asyncio.get_running_loop()
    try:
        _, stream = await loop.create_connection(
            Stream, sock=sock, ssl=tls, server_hostname=server_hostname if tls else None
        )
    except asyncio.CancelledError:
        # asyncio lets a transport live that is cancelled before its first step of TLS. It closes
        # its socket at the end of the connection; closed under it, the descriptor would be taken
        # for that of the next connection.
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        raise
    except BaseException:
        sock.close()
        raise
    return stream


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"
