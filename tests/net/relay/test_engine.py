"""The engine by itself: sockets in, steps by hand, no loop. What a relay makes of it is tested in
test_carriers.py."""

from __future__ import annotations

import errno
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.socket_stream import connected_sockets
from upwire.net.relay import _engine
from upwire.wire._codec import build_frame
from upwire.wire._frame_counter import FrameCounter

DESCRIPTORS = Path("/proc/self/fd")


def test_what_runs_is_what_is_expected() -> None:
    expected = os.environ.get("UPWIRE_EXPECT")
    if expected is not None:
        is_expected = expected == "compiled" and sys.platform == "linux"
        assert _engine.is_available() == is_expected


if not _engine.is_available():
    pytest.skip("the engine is compiled code", allow_module_level=True)


class Bench:
    """An engine with one tunnel: two sockets of ours, and their peers, the client and backend."""

    def __init__(self, *, counts_frames: bool = False) -> None:
        self.engine = _engine.Engine()
        self.client, downstream = connected_sockets(socket.AF_INET)
        self.backend, upstream = connected_sockets(socket.AF_INET)
        self.connections = [
            _engine.Connection(one.detach(), FrameCounter(counts_frames=counts_frames), name)
            for one, name in ((downstream, "downstream"), (upstream, "upstream"))
        ]
        self.engine.add(*self.connections, now_s=1.0)

    def remove(self) -> None:
        self.engine.remove(self.connections[0])


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.remove()
    made.client.close()
    made.backend.close()


def test_a_step_moves_what_has_come_and_says_nothing(bench: Bench) -> None:
    assert bench.engine.step(2.0) == []
    assert [one.moved_at_s for one in bench.connections] == [1.0, 1.0]
    bench.client.sendall(b"up")
    assert bench.engine.step(3.0) == []
    assert bench.backend.recv(99) == b"up"
    assert [one.moved_at_s for one in bench.connections] == [3.0, 1.0]
    assert bench.connections[0].counter.octets == 2


def test_the_end_is_told_once(bench: Bench) -> None:
    bench.client.sendall(b"last")
    bench.client.shutdown(socket.SHUT_WR)
    (told,) = bench.engine.step(2.0)
    assert (told.owner, told.has_ended, told.is_done) == ("downstream", True, True)
    assert bench.backend.recv(99) == b"last"
    assert bench.engine.step(2.0) == []


def test_an_end_is_told_when_all_before_it_was_taken(bench: Bench) -> None:
    downstream, upstream = bench.connections
    sent = fill(bench.client, bench.engine)
    bench.client.setblocking(True)
    bench.client.shutdown(socket.SHUT_WR)
    assert bench.engine.step(2.0) == []
    assert not downstream.is_done
    assert 0 < upstream.waiting_octets <= _engine.SCRATCH_OCTETS
    taken = 0
    while not downstream.is_done:
        taken += len(bench.backend.recv(1 << 20))
        bench.engine.step(3.0)
    while taken < sent:
        taken += len(bench.backend.recv(1 << 20))
    assert (taken, upstream.waiting_octets) == (sent, 0)
    assert upstream.moved_at_s == 3.0


def fill(sender: socket.socket, engine: _engine.Engine) -> int:
    """Send until neither the engine nor the system takes more; return how many octets went."""
    sender.setblocking(False)
    sent = 0
    refused = 0
    while refused < 3:
        try:
            sent += sender.send(bytes(65536))
            refused = 0
        except BlockingIOError:
            refused += 1
            engine.step(1.0)
    return sent


def test_what_was_not_taken_may_be_had(bench: Bench) -> None:
    sent = fill(bench.client, bench.engine)
    downstream, upstream = bench.connections
    passed = downstream.counter.octets
    assert passed < sent
    expected = upstream.waiting_octets
    descriptor, waiting = upstream.take_waiting()
    assert (len(waiting), upstream.waiting_octets) == (expected, 0)
    bench.remove()
    bench.remove()
    with pytest.raises(OSError, match="Bad file descriptor"):
        upstream.take_waiting()
    os.close(descriptor)
    taken = 0
    while piece := bench.backend.recv(1 << 20):
        taken += len(piece)
    assert taken == passed - expected


def test_nobody_has_more_than_a_share_of_a_turn() -> None:
    """A socket that holds more than that goes on in the next step, without a new event."""
    engine = _engine.Engine()
    client, downstream = socket.socketpair()
    backend, upstream = socket.socketpair()
    share = 2 * _engine.SCRATCH_OCTETS
    for one in (client, upstream):
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * share)
    client.setblocking(False)
    sent = 0
    while sent <= share + 1000:
        try:
            sent += client.send(bytes(16384))
        except BlockingIOError:
            pytest.skip("the system gives no buffer as large as that")
    connections = [
        _engine.Connection(one.detach(), FrameCounter(counts_frames=False), None)
        for one in (downstream, upstream)
    ]
    engine.add(*connections, now_s=1.0)
    engine.step(2.0)
    assert engine.is_busy
    assert connections[0].counter.octets == share
    engine.step(3.0)
    assert not engine.is_busy
    assert connections[0].counter.octets == sent
    engine.remove(connections[0])
    client.close()
    backend.close()


def test_a_tunnel_may_go_while_it_is_to_be_served_or_told(bench: Bench) -> None:
    bench.client.close()
    bench.engine.insert(bench.connections[0], b"late", is_last=False)
    bench.engine.insert(bench.connections[0], b"r", is_last=False)
    bench.remove()
    assert len(bench.engine) == 0
    assert bench.engine.step(2.0) == []
    assert not bench.engine.is_busy


def test_a_loss_is_told_with_its_number(bench: Bench) -> None:
    bench.backend.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    bench.backend.close()
    (told,) = bench.engine.step(2.0)
    assert (told.owner, told.error_number) == ("upstream", errno.ECONNRESET)
    assert not told.has_ended
    assert bench.engine.step(2.0) == []


def test_what_came_before_a_loss_is_passed_on() -> None:
    bench = Bench(counts_frames=True)
    bench.client.sendall(build_frame(1, b"x"))
    bench.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    bench.client.close()
    bench.backend.sendall(build_frame(1, b"y"))
    told = bench.engine.step(2.0)
    assert {one.owner for one in told} == {"downstream"}
    assert bench.backend.recv(99) == build_frame(1, b"x")
    bench.remove()
    bench.backend.close()


def test_a_connection_reset_behind_its_end_is_lost() -> None:
    near, downstream = socket.socketpair()
    far, upstream = socket.socketpair()
    engine = _engine.Engine()
    connections = [
        _engine.Connection(one.detach(), FrameCounter(), None) for one in (downstream, upstream)
    ]
    engine.add(*connections, now_s=1.0)
    near.close()
    assert connections[0] in engine.step(2.0)
    assert (connections[0].has_ended, connections[0].error_number) == (True, errno.ECONNRESET)
    engine.remove(connections[0])
    far.close()


def test_descriptors_are_closed_with_their_connections() -> None:
    before = sorted(DESCRIPTORS.iterdir())
    bench = Bench()
    bench.remove()
    unused = _engine.Connection(os.dup(bench.client.fileno()), FrameCounter(), None)
    del unused
    bench.client.close()
    bench.backend.close()
    del bench
    assert sorted(DESCRIPTORS.iterdir()) == before


def test_what_is_no_socket_begins_no_tunnel(tmp_path: Path) -> None:
    near, far = socket.socketpair()
    engine = _engine.Engine()
    one = _engine.Connection(near.detach(), FrameCounter(), None)
    two = _engine.Connection(os.open(tmp_path, os.O_RDONLY), FrameCounter(), None)
    with pytest.raises(OSError, match="not permitted"):
        engine.add(one, two, now_s=1.0)
    assert len(engine) == 0
    assert far.recv(1) == b""
    far.close()


def test_a_step_that_spins_serves_what_comes_meanwhile(bench: Bench) -> None:
    """An answer that is sent on the sight of the question is carried in the same step."""
    bench.engine.spin_s = 0.01
    bench.client.sendall(b"question")

    def answer() -> None:
        assert bench.backend.recv(99) == b"question"
        bench.backend.sendall(b"answer")

    answering = threading.Thread(target=answer)
    answering.start()
    bench.engine.step(2.0)
    answering.join()
    bench.engine.spin_s = 0.0
    bench.engine.step(3.0)
    assert bench.client.recv(99) == b"answer"


def test_an_engine_that_is_closed_does_nothing() -> None:
    bench = Bench()
    bench.client.sendall(b"x")
    bench.engine.close()
    bench.engine.close()
    assert bench.engine.descriptor == -1
    assert bench.engine.step(2.0) == []
    bench.remove()
    bench.client.close()
    bench.backend.close()


def test_a_registration_does_not_outlive_the_tunnel() -> None:
    """The caller keeps a descriptor of the same socket, as a transport does."""
    engine = _engine.Engine()
    client, downstream = connected_sockets(socket.AF_INET)
    backend, upstream = connected_sockets(socket.AF_INET)
    connections = [
        _engine.Connection(os.dup(one.fileno()), FrameCounter(), None)
        for one in (downstream, upstream)
    ]
    engine.add(*connections, now_s=1.0)
    engine.remove(connections[0])
    del connections
    client.sendall(b"after")
    assert downstream.recv(9) == b"after"
    assert engine.step(2.0) == []
    for one in (client, downstream, backend, upstream):
        one.close()
