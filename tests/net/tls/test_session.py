"""Sessions as the tunnel engine uses them: records by hand on one side, content on the other."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator

import pytest
from OpenSSL import SSL

from kit.memory_stream import memory_pair
from kit.socket_stream import connected_sockets, socket_streams
from kit.tls_files import client_connection, server_connection
from kit.tls_stream import IDENTITY, tls_streams
from upwire.net.relay import _engine
from upwire.net.tls import _session
from upwire.net.tls.transport import TlsTransport, describe_code
from upwire.wire._frame_counter import FrameCounter

CONTENT = bytes(range(251)) * 300

compiled = pytest.mark.skipif(not _session.is_available(), reason="sessions are compiled code")
every_version = pytest.mark.parametrize(
    "version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["TLS 1.2", "TLS 1.3"]
)


def test_a_function_that_is_not_to_be_had() -> None:
    assert _session.addresses_of(("SSL_read", "SSL_of_another_version")) == []
    assert len(set(_session.addresses_of(("SSL_read", "SSL_write")))) == 2


def test_without_sessions_nothing_is_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        near, far = await tls_streams(*await socket_streams())
        for is_available in (False, True):
            monkeypatch.setattr(_session, "is_available", lambda answer=is_available: answer)
            assert isinstance(near.transport, TlsTransport)
            assert near.transport.can_lend is is_available
        for stream in (near, far):
            stream.abort()
            await stream.wait_closed()

    asyncio.run(main())


def test_what_has_ended_or_has_no_socket_is_not_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "is_available", lambda: True)

    async def main() -> None:
        near, far = await tls_streams(*memory_pair())
        other, ended = await tls_streams(*await socket_streams())
        ended.write_eof()
        for stream in (near, ended):
            assert isinstance(stream.transport, TlsTransport)
            assert not stream.transport.can_lend
        for stream in (near, far, other, ended):
            stream.abort()
            await stream.wait_closed()

    asyncio.run(main())


def test_reasons_in_numbers() -> None:
    unknown_ca = 0x14 << 23 | 1048
    assert describe_code(unknown_ca) == "SSL: error:SSL routines::tlsv1 alert unknown ca"
    assert describe_code(0).startswith("SSL: error:")


class Bench:
    """A tunnel between a client's TLS, of which this has the records, and a backend without."""

    def __init__(
        self,
        *,
        version: int = SSL.TLS1_3_VERSION,
        record_octets: int = 16384,
        early: bytes = b"",
        is_ended: bool = False,
    ) -> None:
        """early: what the client sends before the session is there. is_ended: and its end."""
        self.near = client_connection(version=version)
        far = server_connection(IDENTITY)
        far.set_options(SSL.OP_NO_RENEGOTIATION)
        shake_hands(self.near, far)
        far.bio_write(self.records_of(early) if early else b"\x17")
        if is_ended:
            self.near.shutdown()
            far.bio_write(self.near.bio_read(9999))
        self.engine = _engine.Engine()
        self.client, downstream = connected_sockets(socket.AF_INET)
        self.backend, upstream = connected_sockets(socket.AF_INET)
        self.one, self.two = (
            _engine.Connection(one.detach(), FrameCounter(counts_frames=False), None)
            for one in (downstream, upstream)
        )
        self.engine.add(self.one, self.two, now_s=1.0)
        self.one.secure(_session.Session(far, record_octets))
        self.engine.give_records(self.two, b"")
        rest = b"" if early else self.records_of(b"first")[1:]
        self.engine.give_records(self.one, rest)

    def records_of(self, content: bytes) -> bytes:
        """Return the client's records of content."""
        records = b""
        for at in range(0, len(content), 16384):
            self.near.send(content[at : at + 16384])
            records += self.near.bio_read(20000)
        return records

    def step(self) -> list[_engine.Connection]:
        told: list[_engine.Connection] = self.engine.step(2.0)
        return told

    def receive(self) -> bytes:
        """Return the content of what has come to the client."""
        content = b""
        self.near.bio_write(self.client.recv(1 << 20))
        try:
            while True:
                content += self.near.recv(20000)
        except SSL.WantReadError:
            return content

    def close(self) -> None:
        self.engine.remove(self.one)
        self.client.close()
        self.backend.close()


def shake_hands(near: SSL.Connection, far: SSL.Connection) -> None:
    """Complete a handshake, with all that the server says behind it."""
    is_done = {near: False, far: False}
    while not all(is_done.values()):
        for one, peer in ((near, far), (far, near)):
            try:
                one.do_handshake()
                is_done[one] = True
            except SSL.WantReadError:
                pass
            move(one, peer)


def move(one: SSL.Connection, peer: SSL.Connection) -> None:
    try:
        while True:
            peer.bio_write(one.bio_read(20000))
    except SSL.WantReadError:
        pass


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    assert made.backend.recv(99) == b"first"  # half of it was with OpenSSL, half came later
    yield made
    made.close()


def read_all(sock: socket.socket, n: int) -> bytes:
    received = b""
    while len(received) < n:
        received += sock.recv(1 << 20)
    return received


@compiled
@every_version
@pytest.mark.parametrize("step", [1, 7, 20_000, 100_000])
def test_records_in_pieces(version: int, step: int) -> None:
    made = Bench(version=version)
    sent = CONTENT if step > 7 else b"hello"
    records = made.records_of(sent) + made.records_of(b"more")
    received = b""
    for at in range(0, len(records), step):
        made.client.sendall(records[at : at + step])
        made.step()
    received = read_all(made.backend, len(sent) + 9)
    assert received == b"first" + sent + b"more"
    assert made.one.counter.octets == len(received)
    made.close()


@compiled
@every_version
@pytest.mark.parametrize("record_octets", [100, 16384])
def test_content_becomes_records(version: int, record_octets: int) -> None:
    made = Bench(version=version, record_octets=record_octets)
    for content in (b"x", CONTENT, b"y"):
        made.backend.sendall(content)
        received = b""
        while len(received) < len(content):
            made.step()
            received += made.receive()
        assert received == content
    made.close()


@compiled
def test_what_was_decrypted_late_comes_first() -> None:
    made = Bench(early=b"early" * 20_000)
    made.client.sendall(made.records_of(b"late"))
    made.step()
    assert read_all(made.backend, 100_004) == b"early" * 20_000 + b"late"
    made.close()


@compiled
def test_an_end_that_had_come_before() -> None:
    made = Bench(early=b"early", is_ended=True)
    assert made.step() == [made.one]
    assert (made.one.is_done, made.one.is_truncated) == (True, False)
    assert read_all(made.backend, 5) == b"early"
    assert made.backend.recv(9) == b""
    made.close()


@compiled
def test_a_closure_alert_is_an_end(bench: Bench) -> None:
    bench.near.shutdown()
    bench.client.sendall(bench.near.bio_read(99) + b"dropped")
    assert bench.step() == [bench.one]
    assert bench.one.is_done
    assert bench.backend.recv(9) == b""
    bench.client.shutdown(socket.SHUT_WR)
    assert bench.step() == []
    bench.backend.sendall(b"answer")
    bench.step()
    assert bench.receive() == b"answer"
    assert not bench.one.is_truncated


@compiled
def test_an_end_without_the_alert_is_told_apart(bench: Bench) -> None:
    bench.client.shutdown(socket.SHUT_WR)
    assert bench.step() == [bench.one]
    assert bench.one.is_truncated
    bench.client.close()
    bench.step()
    assert bench.one.is_truncated


@compiled
def test_the_end_of_the_other_side_is_said_by_an_alert(bench: Bench) -> None:
    bench.backend.sendall(b"last")
    bench.backend.shutdown(socket.SHUT_WR)
    assert bench.step() == [bench.two]
    bench.engine.end(bench.one)
    bench.near.bio_write(bench.client.recv(999))
    assert bench.near.recv(99) == b"last"
    with pytest.raises(SSL.ZeroReturnError):
        bench.near.recv(99)
    bench.client.sendall(bench.records_of(b"late"))
    bench.step()
    assert bench.backend.recv(9) == b"late"


@compiled
def test_the_alert_of_a_tunnel_that_is_ended_here(bench: Bench) -> None:
    bench.engine.end(bench.two)
    bench.engine.end(bench.one)
    bench.engine.remove(bench.one)
    bench.engine.end(bench.one)
    with pytest.raises(SSL.ZeroReturnError):
        bench.receive()


@compiled
def test_what_is_no_record_is_answered_and_told(bench: Bench) -> None:
    bench.client.sendall(bench.records_of(b"good") + b"\x17\x03\x03\x00\x20" + bytes(32))
    assert bench.step() == [bench.one]
    assert bench.backend.recv(9) == b"good"
    assert (bench.one.error_number, bench.one.session.has_failed) == (errno.EPROTO, True)
    assert "bad record mac" in describe_code(bench.one.session.error_code)
    with pytest.raises(SSL.Error, match="bad record mac"):
        bench.receive()
    bench.engine.end(bench.one)
    bench.backend.sendall(b"dropped")
    assert bench.step() == []


@compiled
def test_renegotiation_is_refused() -> None:
    """It is the message of TLS itself that a client can make us answer at any time."""
    made = Bench(version=SSL.TLS1_2_VERSION)
    made.near.renegotiate()
    with pytest.raises(SSL.WantReadError):
        made.near.do_handshake()
    made.client.sendall(made.near.bio_read(9999))
    made.step()
    with pytest.raises(SSL.Error, match="no renegotiation"):
        made.receive()
    made.close()
