"""Opening connections against literal answers."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kit.certificates import make_certificates
from kit.echo_server import echo_server
from upwire.client.url import parse_url
from upwire.errors import ConnectError, HandshakeRefused, RemoteProtocolError, UpwireError
from upwire.load import connecting
from upwire.load.connecting import open_connections, source_address
from upwire.net.tls import client_context, server_context
from upwire.wire.deflate import DeflateOptions
from upwire.wire.handshake import compute_accept

Answer = Callable[[bytes], bytes]


def switch(request: bytes) -> bytes:
    key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0].decode()
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + compute_accept(key).encode() + b"\r\n\r\n"
    )


@pytest.fixture
def answering(tmp_path: Path) -> Iterator[Callable[[Answer], str]]:
    """Start a server on a unix socket that answers one connection; give its URL."""
    threads: list[threading.Thread] = []
    listener = socket.socket(socket.AF_UNIX)

    def start(answer: Answer) -> str:
        listener.bind(str(tmp_path / "s"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(answer(connection.recv(65536)))

        threads.append(threading.Thread(target=serve))
        threads[0].start()
        return f"ws+unix://{tmp_path}/s:/"

    with listener:
        yield start
        for thread in threads:
            thread.join()


def test_connections_are_opened_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "BATCH", 2)
    with echo_server() as port:
        opened = open_connections(parse_url(f"ws://127.0.0.1:{port}/"), 5)
        assert len({one.socket.getsockname() for one in opened}) == 5
        for one in opened:
            one.socket.close()


def test_octets_behind_the_answer_are_kept(answering: Callable[[Answer], str]) -> None:
    url = answering(lambda request: switch(request) + b"\x89\x00")
    (one,) = open_connections(parse_url(url), 1)
    assert one.early == b"\x89\x00"
    one.socket.close()


def test_a_field_goes_into_the_request(answering: Callable[[Answer], str]) -> None:
    seen: list[bytes] = []
    url = answering(lambda request: seen.append(request) or switch(request))  # type: ignore[func-returns-value]  # append() for its effect
    (one,) = open_connections(parse_url(url), 1, headers=(("X-Key", "1"),))
    assert b"\r\nX-Key: 1\r\n" in seen[0]
    one.socket.close()


def test_compression_is_offered_and_agreed_on(answering: Callable[[Answer], str]) -> None:
    url = answering(
        lambda request: switch(request).replace(
            b"Connection:",
            b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
            b"Connection:",
        )
    )
    (one,) = open_connections(parse_url(url), 1, deflate=DeflateOptions())
    assert one.deflate is not None
    assert one.deflate.server_no_context_takeover
    one.socket.close()


def test_a_refusal_is_raised(answering: Callable[[Answer], str]) -> None:
    url = answering(lambda _: b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\nno\n")
    with pytest.raises(HandshakeRefused) as refused:
        open_connections(parse_url(url), 1)
    assert refused.value.body == b"no\n"


def test_an_end_without_an_answer_is_raised(answering: Callable[[Answer], str]) -> None:
    url = answering(lambda _: b"HTTP/1.1 101")
    with pytest.raises(RemoteProtocolError, match="closed without an answer"):
        open_connections(parse_url(url), 1)


def test_silence_is_raised() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(RemoteProtocolError, match="no answer to the handshake"):
            open_connections(parse_url(url), 1, timeout_s=0.01)


def test_a_port_that_nobody_listens_on_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(ConnectError, match=f"{address}: Connection refused") as failed:
        open_connections(parse_url(f"ws://{address}/"), 1)
    assert failed.value.phase == "connecting"


def test_a_unix_socket_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConnectError, match="No such file"):
        open_connections(parse_url(f"ws+unix://{tmp_path}/none:/"), 1)


def test_a_tls_handshake_that_takes_too_long_is_a_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"wss://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(ConnectError, match="it took too long") as failed:
            open_connections(parse_url(url), 1, timeout_s=0.01, tls=client_context())
    assert (failed.value.phase, failed.value.is_timeout) == ("TLS handshake", True)


def test_tls_is_opened_and_verified(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    with echo_server(server_context(files.certificate_file, files.key_file)) as port:
        url = parse_url(f"wss://127.0.0.1:{port}/")
        (one,) = open_connections(url, 1, tls=client_context(ca_file=files.authority_file))
        one.socket.close()


def test_a_socket_that_refuses_the_request_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = socket.socketpair()
    theirs.close()
    monkeypatch.setattr(connecting, "_dial", lambda *_: ours)
    with pytest.raises(ConnectError, match="Broken pipe"):
        open_connections(parse_url("ws://127.0.0.1:1/"), 1)
    assert ours.fileno() == -1


def test_many_connections_come_from_several_loopback_addresses() -> None:
    last = connecting.PER_ADDRESS - 1
    assert source_address("127.0.0.1", 0) is source_address("127.0.0.1", last) is None
    assert source_address("127.0.0.1", last + 1) == "127.0.0.2"
    assert source_address("127.0.0.1", 3 * (last + 1)) == "127.0.0.4"
    assert source_address("192.0.2.1", last + 1) is None
    assert source_address("::1", last + 1) is None


def test_a_second_address_is_connected_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "PER_ADDRESS", 1)
    with echo_server() as port:
        opened = open_connections(parse_url(f"ws://127.0.0.1:{port}/"), 2)
        sources = [one.socket.getsockname()[0] for one in opened]
        for one in opened:
            one.socket.close()
    assert sources == ["127.0.0.1", "127.0.0.2"]


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The limits on open files: those that the system has, then those that were set."""
    limits = [(10, 200)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.append(pair))
    return limits


def test_the_descriptor_limit_is_raised_as_far_as_needed(limits: list[tuple[int, int]]) -> None:
    with pytest.raises(ConnectError):
        open_connections(parse_url("ws+unix:///nowhere:/"), 100)
    assert limits == [(10, 200), (164, 200)]


def test_the_hard_descriptor_limit_is_said(limits: list[tuple[int, int]]) -> None:
    with pytest.raises(UpwireError, match="allows 200 open files"):
        open_connections(parse_url("ws+unix:///nowhere:/"), 1000)
    assert len(limits) == 1
