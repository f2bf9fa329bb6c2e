"""Opens the connections of a load: many at a time, from several addresses, through the handshake.

Blocking sockets: nothing is measured yet, and the engine takes them over afterwards.
"""

from __future__ import annotations

import contextlib
import ipaddress
import resource
import secrets
import socket
import ssl
from dataclasses import dataclass

from upwire.client.url import WebSocketUrl
from upwire.errors import ConnectError, RemoteProtocolError, UpwireError
from upwire.net.tls import explain
from upwire.wire.deflate import DeflateOptions, DeflateParameters
from upwire.wire.handshake import build_request, check_response, make_key
from upwire.wire.http1 import ResponseHeadParser, serialize_request

BATCH = 100
"""How many handshakes are under way at a time; below every usual listen backlog."""
PER_ADDRESS = 20_000
"""Connections from one source address to one destination: Linux has 28,232 ports for them."""
READ_OCTETS = 65536
_SPARE_DESCRIPTORS = 64


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection behind its handshake. early: octets of frames that came with the answer.

    deflate: what was agreed on where compression was offered.
    """

    socket: socket.socket
    early: bytes
    deflate: DeflateParameters | None = None


def open_connections(
    url: WebSocketUrl,
    count: int,
    *,
    timeout_s: float = 10.0,
    tls: ssl.SSLContext | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    deflate: DeflateOptions | None = None,
) -> list[Opened]:
    """Open so many WebSockets; the caller closes them.

    Raises ConnectError, or RemoteProtocolError for the first answer that is wrong; then none
    stays open.
    """
    _raise_descriptor_limit(count + _SPARE_DESCRIPTORS)
    with contextlib.ExitStack() as undo:
        opened: list[Opened] = []
        while len(opened) < count:
            numbers = range(len(opened), min(len(opened) + BATCH, count))
            sockets = [_connect(url, number, timeout_s, tls, undo) for number in numbers]
            keys = [_request(one, url, headers, deflate) for one in sockets]
            opened += [
                _read_answer(one, key, deflate) for one, key in zip(sockets, keys, strict=True)
            ]
        undo.pop_all()
        return opened


def source_address(host: str, number: int) -> str | None:
    """Return where the connection of this number comes from; None leaves it to the system.

    Only a loopback network has more than one address of ours: 127.0.0.1, 127.0.0.2, ...
    """
    address = ipaddress.ip_address(host)
    if number < PER_ADDRESS or address not in ipaddress.ip_network("127.0.0.0/8"):
        return None
    return f"127.0.0.{1 + number // PER_ADDRESS}"


def _raise_descriptor_limit(needed: int) -> None:
    """Raise the soft limit as far as it must be. Raises UpwireError where the hard one forbids."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if needed <= soft:
        return
    if needed > hard != resource.RLIM_INFINITY:
        raise UpwireError(
            f"the system allows {hard} open files, and {needed} are needed: raise `ulimit -Hn`"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _connect(
    url: WebSocketUrl,
    number: int,
    timeout_s: float,
    tls: ssl.SSLContext | None,
    undo: contextlib.ExitStack,
) -> socket.socket:
    """Connect, with TLS where a context is given; undo closes it."""
    address = url.unix or f"{url.host}:{url.port}"
    try:
        one = _dial(url, number, timeout_s)
    except OSError as error:
        raise _failed(error, "connecting", address) from error
    undo.callback(one.close)
    if tls is None:
        return one
    try:
        secured = tls.wrap_socket(one, server_hostname=url.host)
    except OSError as error:
        raise _failed(error, "TLS handshake", address) from error
    undo.callback(secured.close)
    return secured


def _dial(url: WebSocketUrl, number: int, timeout_s: float) -> socket.socket:
    if url.unix is not None:
        local = socket.socket(socket.AF_UNIX)
        local.settimeout(timeout_s)
        try:
            local.connect(url.unix)
        except OSError:
            local.close()
            raise
        return local
    host = str(socket.getaddrinfo(url.host, url.port, type=socket.SOCK_STREAM)[0][4][0])
    source = source_address(host, number)
    one = socket.create_connection(
        (host, url.port), timeout_s, None if source is None else (source, 0)
    )
    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return one


def _request(
    one: socket.socket,
    url: WebSocketUrl,
    headers: tuple[tuple[str, str], ...],
    deflate: DeflateOptions | None,
) -> str:
    """Send the opening handshake; return its key."""
    key = make_key(secrets.token_bytes(16))
    head = build_request(url.authority, url.resource, key, headers=headers, deflate=deflate)
    try:
        one.sendall(serialize_request(head))
    except OSError as error:
        raise _failed(error, "connecting", url.authority) from error
    return key


def _read_answer(one: socket.socket, key: str, deflate: DeflateOptions | None) -> Opened:
    parser = ResponseHeadParser()
    buffer = b""
    while (parsed := parser.parse(buffer)) is None:
        try:
            octets = one.recv(READ_OCTETS)
        except OSError as error:
            raise RemoteProtocolError(f"no answer to the handshake: {explain(error)}") from error
        if not octets:
            raise RemoteProtocolError("connection was closed without an answer to the handshake")
        buffer += octets
    head, size = parsed
    agreed = check_response(head, key, deflate=deflate, body=buffer[size:])
    return Opened(one, buffer[size:], agreed.deflate)


def _failed(error: OSError, phase: str, address: str) -> ConnectError:
    reason = "it took too long" if isinstance(error, TimeoutError) else explain(error)
    return ConnectError(
        f"cannot connect to {address}: {reason}",
        phase=phase,
        address=address,
        is_timeout=isinstance(error, TimeoutError),
    )
