"""The engine on one end of socket pairs, literal frames on the other."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from kit.certificates import make_certificates
from upwire.load._engine import BUCKETS, Engine, bucket_of, is_compiled
from upwire.load.histogram import bounds
from upwire.net.tls import client_context, server_context
from upwire.wire import _codec

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12 on

FRAME = bytes.fromhex("8285 01020304 496763687f")  # "Hello", masked
ECHO = bytes.fromhex("8205 48656c6c6f")
PING = bytes.fromhex("8902 6869")
PONG = bytes.fromhex("8a82 00000000 6869")

Rig = tuple[Engine, list[socket.socket]]
Make = Callable[..., Rig]


@pytest.fixture
def make() -> Iterator[Make]:
    """Build an engine with so many connections; give it and their other ends."""
    opened: list[socket.socket] = []
    engines: list[Engine] = []

    def make(
        connections: int = 1,
        *,
        frame: bytes = FRAME,
        echo: bytes = ECHO,
        in_flight: int = 1,
        rate_per_s: float = 0.0,
    ) -> Rig:
        pairs = [socket.socketpair() for _ in range(connections)]
        opened.extend(one for pair in pairs for one in pair)
        engine = Engine(
            [ours for ours, _ in pairs], frame, echo, in_flight=in_flight, rate_per_s=rate_per_s
        )
        engines.append(engine)
        for _, theirs in pairs:
            theirs.setblocking(False)
        return engine, [theirs for _, theirs in pairs]

    yield make
    for engine in engines:
        engine.close()
    for one in opened:
        one.close()


def received(peer: socket.socket, limit: int = 65536) -> bytes:
    try:
        return peer.recv(limit)
    except BlockingIOError:
        return b""


def test_each_echo_is_answered_with_the_next_message(make: Make) -> None:
    engine, (peer,) = make()
    assert engine.run(0)
    assert received(peer) == FRAME
    assert engine.outstanding == 1
    peer.send(ECHO)
    assert engine.run(0)
    assert received(peer) == FRAME
    assert (engine.messages, engine.octets, engine.outstanding) == (1, len(ECHO), 1)
    assert sum(engine.buckets) == 1
    assert engine.buckets[bucket_of(engine.highest_ns)] == 1
    assert engine.total_ns == engine.highest_ns


def test_so_many_messages_are_in_flight(make: Make) -> None:
    engine, (peer,) = make(in_flight=3)
    engine.run(0)
    assert received(peer) == FRAME * 3
    peer.send(ECHO * 2)
    engine.run(0)
    assert received(peer) == FRAME * 2


def test_an_echo_may_come_octet_by_octet(make: Make) -> None:
    engine, (peer,) = make()
    engine.run(0)
    for at in range(len(ECHO)):
        assert engine.messages == 0
        peer.send(ECHO[at : at + 1])
        engine.run(0)
    assert (engine.messages, engine.wrong) == (1, 0)


@pytest.mark.parametrize("at", range(len(ECHO)))
def test_any_other_octet_makes_an_echo_wrong(make: Make, at: int) -> None:
    engine, (peer,) = make()
    engine.run(0)
    octets = bytearray(ECHO)
    octets[at] ^= 1
    peer.send(octets)
    assert not engine.run(0)
    assert (engine.messages, engine.wrong, engine.lost, engine.connections) == (0, 1, 0, 0)
    assert engine.outstanding == 0


def test_an_echo_that_nobody_asked_for_is_wrong(make: Make) -> None:
    engine, (peer,) = make()
    engine.run(0)
    peer.send(ECHO * 2)
    engine.run(0)
    assert (engine.messages, engine.wrong) == (1, 1)


def test_the_first_octets_may_come_with_the_handshake(make: Make) -> None:
    engine, (peer,) = make()
    engine.receive(0, PING)
    engine.run(0)
    assert received(peer) == PONG + FRAME
    assert engine.wrong == 0


def test_a_connection_that_ends_is_lost_and_the_others_go_on(make: Make) -> None:
    engine, (first, second) = make(2)
    engine.run(0)
    second.send(ECHO)
    first.close()
    assert engine.run(0)
    assert (engine.connections, engine.lost, engine.messages) == (1, 1, 1)
    assert engine.at_rest == [1]


def test_octets_before_the_end_count(make: Make) -> None:
    engine, (peer,) = make()
    engine.run(0)
    peer.send(ECHO)
    peer.close()
    assert not engine.run(0)
    assert (engine.messages, engine.lost, engine.wrong) == (1, 1, 0)


@pytest.mark.parametrize("close", [b"\x88\x00", b"\x88\x02\x03\xe8", b"\x88\x7d" + bytes(125)])
def test_a_close_ends_the_connection(make: Make, close: bytes) -> None:
    engine, (peer,) = make()
    engine.run(0)
    peer.send(close)
    engine.run(0)
    assert (engine.lost, engine.wrong) == (1, 0)


@pytest.mark.parametrize("header", [b"\x89\x7e", b"\x8a\x80"], ids=["too long", "masked"])
def test_a_malformed_control_frame_is_wrong(make: Make, header: bytes) -> None:
    engine, (peer,) = make()
    engine.run(0)
    peer.send(header)
    engine.run(0)
    assert engine.wrong == 1


def test_pongs_are_passed_over_and_pings_answered_between_frames(make: Make) -> None:
    engine, (peer,) = make()
    engine.run(0)
    received(peer)
    for octet in b"\x8a\x00" + PING + ECHO:
        peer.send(bytes([octet]))
        engine.run(0)
    assert received(peer) == PONG + FRAME
    assert (engine.messages, engine.wrong) == (1, 0)


def test_a_pong_waits_for_the_end_of_a_frame(make: Make) -> None:
    frame = bytes(3_000_000)
    engine, (peer,) = make(frame=frame, in_flight=2)
    engine.run(0)
    peer.send(PING)
    engine.run(0)
    octets = bytearray()
    while len(octets) < 2 * len(frame) + len(PONG):
        octets += received(peer, 1 << 20)
        engine.run(0)
    assert bytes(octets) == frame + PONG + frame
    assert engine.at_rest == [0]


def test_a_later_ping_replaces_a_pong_that_did_not_go_out(make: Make) -> None:
    frame = bytes(3_000_000)
    engine, (peer,) = make(frame=frame)
    engine.run(0)
    peer.send(b"\x89\x01x" + PING)
    engine.run(0)
    assert engine.at_rest == []
    octets = bytearray()
    while len(octets) < len(frame) + len(PONG):
        octets += received(peer, 1 << 20)
        engine.run(0)
    assert octets[len(frame) :] == PONG


class Trickle(socket.socket):
    """Takes an octet at a time, where Python's sockets are what sends."""

    def send(self, octets: Buffer, flags: int = 0) -> int:
        return super().send(memoryview(octets)[:1], flags)


def test_a_pong_may_go_out_in_pieces_and_is_not_replaced_then() -> None:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    with Trickle(fileno=ours.detach()) as trickle, theirs:
        engine = Engine([trickle], FRAME, ECHO)
        octets = received(theirs)
        while len(octets) < len(FRAME):
            engine.run(0)
            octets += received(theirs)
        theirs.send(PING)
        engine.run(0)
        theirs.send(b"\x89\x00")
        while engine.run(0) and not engine.at_rest:
            pass
        octets += received(theirs)
        engine.close()
    assert octets[: len(FRAME + PONG)] == FRAME + PONG


def test_a_pong_waits_for_a_peer_that_does_not_read() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    filling = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            filling += ours.send(bytes(65536))
    with ours, theirs:
        engine = Engine([ours], FRAME, ECHO)
        engine.receive(0, PING)
        engine.run(0)
        assert engine.at_rest == []
        while filling:
            filling -= len(theirs.recv(filling))
        engine.run(0)
        assert theirs.recv(65536) == PONG + FRAME
        engine.close()


def test_a_peer_that_does_not_wait_for_the_pong_is_lost(make: Make) -> None:
    engine, (peer,) = make()
    engine.run(0)
    received(peer)
    peer.send(PING)
    peer.close()
    engine.run(0)
    assert (engine.connections, engine.lost, engine.wrong) == (0, 1, 0)


def test_a_connection_that_was_wrong_is_not_read_any_more(make: Make) -> None:
    engine, (first, _) = make(2)
    engine.run(0)
    first.send(b"\x82\x01x")
    engine.run(0)
    octets = engine.octets
    first.send(ECHO)
    engine.run(0)
    assert (engine.wrong, engine.octets, engine.messages) == (1, octets, 0)


def test_a_peer_that_resets_while_we_send_is_lost(make: Make) -> None:
    engine, (peer,) = make(frame=bytes(3_000_000))
    engine.run(0)
    peer.close()
    engine.run(0)
    assert (engine.connections, engine.lost) == (0, 1)


def test_no_more_than_allowed_is_sent(make: Make) -> None:
    engine, (peer,) = make(in_flight=4)
    engine.allow(2)
    assert engine.run(0)
    assert received(peer) == FRAME * 2
    peer.send(ECHO * 2)
    assert not engine.run(60)
    assert received(peer) == b""
    assert engine.messages == 2


def test_a_restart_counts_from_zero_and_keeps_what_is_in_flight(make: Make) -> None:
    engine, (first, second) = make(2)
    engine.run(0)
    first.send(ECHO)
    second.close()
    engine.run(0)
    engine.restart()
    assert (engine.messages, engine.octets, engine.lost, engine.highest_ns) == (0, 0, 0, 0)
    assert sum(engine.buckets) == 0
    first.send(ECHO)
    engine.run(0)
    assert (engine.messages, engine.wrong) == (1, 0)


def test_a_rate_spreads_messages_over_the_connections(make: Make) -> None:
    engine, peers = make(2, rate_per_s=1e6)
    engine.allow(2)
    while engine.outstanding < 2:
        engine.run(0)
    assert [received(peer) for peer in peers] == [FRAME, FRAME]
    for peer in peers:
        peer.send(ECHO)
    assert not engine.run(60)
    assert engine.messages == 2


def test_a_message_is_not_sent_before_it_is_due(make: Make) -> None:
    engine, peers = make(2, rate_per_s=1e-3)
    engine.run(0.002)
    assert [received(peer) for peer in peers] == [FRAME, b""]


def test_a_latency_begins_when_the_message_was_due(make: Make) -> None:
    """Messages are due a nanosecond apart, one in flight: the second waits for the first's echo."""
    engine, (peer,) = make(rate_per_s=1e9)
    engine.allow(2)
    engine.run(0)
    since_ns = time.monotonic_ns()
    while received(peer) != FRAME:
        engine.run(0)
    peer.send(ECHO)
    engine.run(0)
    until_ns = time.monotonic_ns()
    peer.send(ECHO)
    assert not engine.run(60)
    assert engine.messages == 2
    assert engine.highest_ns >= until_ns - since_ns


def test_a_rate_waits_for_what_is_due_soon(make: Make) -> None:
    engine, (peer,) = make(in_flight=2, rate_per_s=500)
    engine.allow(2)
    engine.run(0.05)
    assert received(peer) == FRAME * 2


def test_without_anything_in_flight_it_answers(make: Make) -> None:
    engine, (peer,) = make(frame=ECHO, echo=FRAME, in_flight=0)
    assert engine.run(0)
    assert received(peer) == b""
    peer.send(FRAME * 2 + FRAME[:3])
    assert engine.run(0)
    assert received(peer) == ECHO * 2
    assert (engine.messages, engine.outstanding, sum(engine.buckets)) == (2, 0, 0)
    peer.close()
    assert not engine.run(0)


def test_no_connection_is_no_work(make: Make) -> None:
    engine, _ = make(0)
    assert not engine.run(60)


def test_tls_goes_through_python_s_sockets(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    ours, theirs = socket.socketpair()
    server = server_context(files.certificate_file, files.key_file)
    client = client_context(ca_file=files.authority_file)
    ours.setblocking(False)
    theirs.setblocking(False)
    with (
        client.wrap_socket(ours, server_hostname="localhost", do_handshake_on_connect=False) as us,
        server.wrap_socket(theirs, server_side=True, do_handshake_on_connect=False) as them,
    ):
        waiting = [us, them]
        while waiting:
            waiting = [one for one in waiting if not is_shaken(one)]
        frame = bytes(2_000_000)
        engine = Engine([us], frame, ECHO)
        octets = 0
        while octets < len(frame):
            engine.run(0)
            octets += len(decrypted(them))
        them.send(ECHO)
        engine.run(0)
        assert (engine.messages, engine.wrong) == (1, 0)
        engine.close()


def is_shaken(one: ssl.SSLSocket) -> bool:
    try:
        one.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def decrypted(one: ssl.SSLSocket) -> bytes:
    try:
        return one.recv(1 << 20)
    except ssl.SSLWantReadError:
        return b""


@pytest.mark.parametrize("value", [0, 1, 63, 64, 65, 127, 128, 1000, 10**9, 2**63, 2**64 - 1])
def test_a_bucket_holds_its_values(value: int) -> None:
    low, high = bounds(bucket_of(value))
    assert low <= value < high
    assert bucket_of(low) == bucket_of(high - 1) == bucket_of(value) < BUCKETS
    assert (high - low) * 32 <= max(low, 32)


def test_it_is_compiled_where_the_package_is() -> None:
    assert is_compiled() == _codec.is_compiled()
