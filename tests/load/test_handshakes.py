"""Both ends of connections that come and go, and literal octets on one of them."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from upwire.errors import RemoteProtocolError
from upwire.load import _handshakes
from upwire.load._handshakes import KEY, Acceptor, Connector, is_compiled
from upwire.wire import _codec
from upwire.wire.handshake import compute_accept

SWITCH = (
    b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: "
    + compute_accept(KEY).encode()
    + b"\r\n\r\n"
)
REQUEST = f"GET / HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: {KEY}\r\n\r\n".encode()
CLOSE = bytes.fromhex("8882 37fa213d 3412")  # 1000, masked
CLOSED = bytes.fromhex("8802 03e8")

Serve = Callable[..., int]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


@pytest.fixture
def accepting(listener: socket.socket) -> Iterator[tuple[int, Acceptor]]:
    """An acceptor at work in a thread; its port."""
    acceptor = Acceptor(listener)
    is_over = threading.Event()

    def serve() -> None:
        while not is_over.is_set():
            acceptor.run(0.005)

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], acceptor
    is_over.set()
    thread.join()
    acceptor.close()


@pytest.fixture
def serve(listener: socket.socket) -> Iterator[Serve]:
    """Answer each connection's handshake, and then its Close, with these octets."""
    threads: list[threading.Thread] = []

    def start(*answers: bytes) -> int:
        def answer() -> None:
            one, _ = listener.accept()
            with one:
                for octets in answers:
                    one.recv(65536)
                    one.sendall(octets)

        threads.append(threading.Thread(target=answer))
        threads[0].start()
        port: int = listener.getsockname()[1]
        return port

    yield start
    for thread in threads:
        thread.join()


def drive(port: int, *, until: int = 1) -> Connector:
    """Make connections, one at a time, until so many are over."""
    connector = Connector(port, 1)
    try:
        while connector.done < until:
            connector.run(0.01)
    finally:
        connector.close()
    return connector


def test_connections_are_made_anew_and_counted(accepting: tuple[int, Acceptor]) -> None:
    port, _ = accepting
    connector = Connector(port, 3)
    while connector.done < 10:
        connector.run(0.01)
    latency = connector.latency
    assert connector.done <= latency.count <= connector.done + 3
    assert 0 < latency.percentile_ns(50) <= latency.highest_ns
    connector.restart()
    assert (connector.done, connector.latency.count) == (0, 0)
    connector.close()


def test_each_source_address_has_its_share(
    accepting: tuple[int, Acceptor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_handshakes, "PORTS", 1)
    bound: list[str] = []

    class Bound(socket.socket):
        def bind(self, address: tuple[str, int]) -> None:  # type: ignore[override]
            bound.append(address[0])
            super().bind(address)

    monkeypatch.setattr(socket, "socket", Bound)
    drive(accepting[0], until=9)
    assert bound[:8] == [*_handshakes.SOURCES[1:], _handshakes.SOURCES[1]]


def test_the_server_s_end_behind_its_close_completes_a_connection(serve: Serve) -> None:
    assert drive(serve(SWITCH, CLOSED)).done == 1


def test_an_answer_may_come_in_pieces(serve: Serve) -> None:
    connector = Connector(serve(SWITCH[:-1]), 1)
    with pytest.raises(RemoteProtocolError, match="connection ended after b'HTTP"):
        connector.run(60)
    assert connector.latency.count == 0
    connector.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        SWITCH.replace(b"101", b"200"),
        b"HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: no\r\n\r\n",
    ],
)
def test_another_answer_is_raised(serve: Serve, answer: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no right answer"):
        drive(serve(answer))


@pytest.mark.parametrize("answers", [(b"",), (SWITCH, b""), (SWITCH, b"\x82\x00")])
def test_an_end_before_its_time_is_raised(serve: Serve, answers: tuple[bytes, ...]) -> None:
    with pytest.raises(RemoteProtocolError, match="connection ended after"):
        drive(serve(*answers))


def test_silence_counts_for_nothing(listener: socket.socket) -> None:
    connector = Connector(listener.getsockname()[1], 2)
    connector.run(0.01)
    assert connector.done == 0
    connector.close()


def test_a_port_that_nobody_listens_on_is_raised() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ConnectionRefusedError):
        drive(port)


@pytest.mark.parametrize(
    "pieces",
    [
        [REQUEST, CLOSE],
        [REQUEST + CLOSE],
        [bytes([octet]) for octet in REQUEST + CLOSE],
        [REQUEST, CLOSE + b"trailing"],
    ],
    ids=["in turn", "whole", "octet by octet", "trailing"],
)
def test_an_acceptor_answers_and_closes(
    accepting: tuple[int, Acceptor], pieces: list[bytes]
) -> None:
    received = exchange(accepting[0], *pieces)
    head, _, rest = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101 ")
    assert head.endswith(compute_accept(KEY).encode())
    assert rest == CLOSED


def test_a_request_without_a_key_gets_some_answer(accepting: tuple[int, Acceptor]) -> None:
    received = exchange(accepting[0], b"GET / HTTP/1.1\r\n\r\n" + CLOSE)
    assert compute_accept("").encode() in received


def test_an_endless_head_ends_the_connection(accepting: tuple[int, Acceptor]) -> None:
    assert exchange(accepting[0], bytes(65536)) == b""


def test_a_peer_that_leaves_or_resets_is_forgotten(listener: socket.socket) -> None:
    acceptor = Acceptor(listener)
    address = listener.getsockname()
    with socket.create_connection(address), socket.create_connection(address) as resetting:
        while acceptor.connections < 2:
            acceptor.run(0.01)
        resetting.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    while acceptor.connections:
        acceptor.run(0.01)
    acceptor.close()


def test_what_is_open_is_dropped_at_the_end(listener: socket.socket) -> None:
    acceptor = Acceptor(listener)
    with socket.create_connection(listener.getsockname()) as one:
        while not acceptor.connections:
            acceptor.run(0.01)
        acceptor.close()
        assert one.recv(1) == b""
    assert acceptor.connections == 0


def test_it_is_compiled_where_the_package_is() -> None:
    assert is_compiled() == _codec.is_compiled()


def exchange(port: int, *pieces: bytes) -> bytes:
    """Send pieces; return all that came until the end."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), 10) as one:
        for piece in pieces:
            one.sendall(piece)
        while octets := one.recv(65536):
            received += octets
    return received
