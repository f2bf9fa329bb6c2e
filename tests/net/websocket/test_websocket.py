"""WebSocket over streams in memory, against a peer that speaks frames, and against another."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from kit.memory_stream import memory_pair
from kit.virtual_time import run, settle
from kit.websockets import QUIET, REQUEST, RESPONSE, open_on, open_pair
from upwire.errors import ConnectionClosed, LocalProtocolError, StreamError
from upwire.net.stream import WRITE_HIGH_OCTETS, Stream
from upwire.net.websocket import WebSocket, WebSocketOptions
from upwire.net.websocket._channel import FRAMES_A_TURN, SENDS_BEFORE_YIELD
from upwire.wire.deflate import DeflateParameters
from upwire.wire.websocket import (
    CloseReceived,
    Connection,
    Direction,
    Event,
    FrameInfo,
    Message,
    Ping,
    Pong,
    Role,
    State,
)


class Peer:
    """The other side, frame by frame: it answers when it is told to read."""

    def __init__(self, stream: Stream, role: Role) -> None:
        self.stream = stream
        self.connection = Connection(role, random_octets=bytes)

    def flush(self) -> None:
        self.stream.write(self.connection.take_output())

    async def event(self) -> Event:
        """Read up to the next event."""
        while (event := self.connection.next_event()) is None:
            octets = await self.stream.read()
            if octets:
                self.connection.feed(octets)
            else:
                self.connection.feed_eof()
        with suppress(LocalProtocolError):  # our direction may have ended
            self.flush()
        return event


def open_with_peer(
    role: Role = Role.SERVER, options: WebSocketOptions = QUIET, *, can_half_close: bool = True
) -> tuple[WebSocket, Peer]:
    near, far = memory_pair(can_half_close=can_half_close)
    peer_role = Role.CLIENT if role is Role.SERVER else Role.SERVER
    return open_on(near, role, options), Peer(far, peer_role)


async def closes(ws: WebSocket) -> ConnectionClosed:
    with pytest.raises(ConnectionClosed) as raised:
        await ws.recv()
    return raised.value


# Messages


def test_messages_travel_both_ways() -> None:
    async def main() -> None:
        client, server = open_pair()
        await client.send("grüße")
        await client.send(b"\x00\x01")
        await server.send(bytearray(b"ab"))
        await server.send(memoryview(b"cd"))
        assert [await server.recv(), await server.recv()] == ["grüße", b"\x00\x01"]
        assert [await client.recv(), await client.recv()] == [b"ab", b"cd"]
        await client.close()
        await server.wait_closed()

    run(main())


def test_messages_are_compressed_where_agreed() -> None:
    async def main() -> None:
        near, far = memory_pair()
        frames: list[FrameInfo] = []
        deflate = DeflateParameters()
        client = open_on(near, Role.CLIENT, deflate=deflate, observe=frames.append)
        server = open_on(far, Role.SERVER, deflate=deflate)
        await client.send("a" * 1000)
        assert await server.recv() == "a" * 1000
        assert frames[0].rsv1
        assert frames[0].length < 100
        await client.close()

    run(main())


def test_frames_are_shown_as_they_come_and_go() -> None:
    async def main() -> None:
        near, far = memory_pair()
        frames: list[FrameInfo] = []
        client = open_on(near, Role.CLIENT, observe=frames.append)
        server = open_on(far, Role.SERVER)
        await client.send("hello")
        await server.send(b"hi")
        await client.recv()
        await client.close()
        directions = [frame.direction for frame in frames]
        assert directions == [
            Direction.SENT,
            Direction.RECEIVED,
            Direction.SENT,
            Direction.RECEIVED,
        ]
        assert [frame.is_masked for frame in frames] == [True, False, True, False]
        assert [frame.length for frame in frames] == [5, 2, 2, 2]

    run(main())


def test_the_connection_describes_itself() -> None:
    async def main() -> None:
        client, server = open_pair()
        assert client.request == REQUEST
        assert client.response == RESPONSE
        assert client.subprotocol == "chat"
        assert client.path_params == {}
        assert client.context == {}
        assert client.id != server.id
        assert client.remote_address == server.local_address
        assert client.local_address == server.remote_address
        assert repr(client) == f"<WebSocket {client.id} /chat OPEN>"
        assert (client.state, client.close_code, client.close_reason) == (State.OPEN, None, None)
        await client.close(1000, "done")
        assert (client.state, client.close_code, client.close_reason) == (
            State.CLOSED,
            1000,
            "done",
        )
        assert (server.close_code, server.close_reason) == (1000, "done")
        assert client.unsent_octets == 0

    run(main())


def test_octets_behind_the_handshake_are_the_first_message() -> None:
    async def main() -> None:
        near, far = memory_pair()
        near.unread(b"\x81\x02hi")
        client = open_on(near, Role.CLIENT)
        assert await client.recv() == "hi"
        far.close()
        await client.wait_closed()

    run(main())


# recv


def test_a_cancelled_recv_loses_nothing() -> None:
    async def main() -> None:
        client, server = open_pair()
        receiving = asyncio.create_task(server.recv())
        await settle()
        await client.send("one")
        receiving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await receiving
        assert await server.recv() == "one"

        receiving = asyncio.create_task(server.recv())
        await settle()
        server.octets_received(b"\x81\x83\0\0\0\0two")
        receiving.cancel()  # it was woken, and did not run yet
        with pytest.raises(asyncio.CancelledError):
            await receiving
        assert await server.recv() == "two"
        await client.close()

    run(main())


@pytest.mark.parametrize(
    ("behind", "code"), [(b"\x83\x80\0\0\0\0", 1002), (b"\x88\x82\0\0\0\0\x03\xe8", 1000)]
)
def test_a_message_is_answered_before_what_follows_it_closes(behind: bytes, code: int) -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER)

        async def echo() -> None:
            with suppress(ConnectionClosed):
                while True:
                    await server.send(await server.recv())

        echoing = asyncio.create_task(echo())
        await settle()
        peer.stream.write(b"\x81\x81\0\0\0\0a" + b"\x81\x81\0\0\0\0b" + behind)
        assert [await peer.event(), await peer.event()] == [Message("a"), Message("b")]
        assert isinstance(event := await peer.event(), CloseReceived)
        assert event.code == code
        peer.stream.close()
        await echoing
        await server.wait_closed()

    run(main())


def test_control_frames_do_not_wait_for_a_receiver() -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER)
        peer.connection.send_message("not received")
        peer.connection.send_ping(b"?")
        peer.flush()
        assert await peer.event() == Pong(b"?")
        peer.stream.abort()
        await server.wait_closed()

    run(main())


def test_a_second_recv_is_refused() -> None:
    async def main() -> None:
        client, server = open_pair()
        first = asyncio.create_task(server.recv())
        await settle()
        with pytest.raises(LocalProtocolError, match="another task waits in recv"):
            await server.recv()
        await client.send("for the first")
        assert await first == "for the first"
        await client.close()

    run(main())


def test_iteration_ends_at_a_normal_closure() -> None:
    async def main() -> None:
        client, server = open_pair()
        for text in ("a", "b"):
            await client.send(text)
        await client.close(1001)
        assert [message async for message in server] == ["a", "b"]

    run(main())


def test_iteration_raises_at_another_closure() -> None:
    async def main() -> None:
        client, server = open_pair()
        await client.send("a")
        await client.close(4000, "go away")
        messages = aiter(server)
        assert await anext(messages) == "a"
        with pytest.raises(ConnectionClosed) as raised:
            await anext(messages)
        closed = raised.value
        assert (closed.code, closed.reason, closed.is_remote) == (4000, "go away", True)

    run(main())


def test_each_caller_gets_an_exception_of_its_own() -> None:
    async def main() -> None:
        client, server = open_pair()
        await client.close()
        assert await closes(server) is not await closes(server)

    run(main())


# The receive queue


def test_a_slow_receiver_stops_the_reading_and_starts_it_again() -> None:
    async def main() -> None:
        options = WebSocketOptions(receive_queue_messages=4, ping_interval_s=None)
        server, peer = open_with_peer(Role.SERVER, options)
        for number in range(20):
            peer.connection.send_message(str(number))
            peer.flush()
        await settle()
        assert server._queue.is_full
        assert len(server._queue.messages) == 4
        assert [await server.recv() for _ in range(20)] == [str(number) for number in range(20)]
        peer.stream.close()
        await server.wait_closed()

    run(main())


def test_many_messages_of_one_read_wait_in_the_connection() -> None:
    async def main() -> None:
        options = WebSocketOptions(receive_queue_octets=10, ping_interval_s=None)
        server, peer = open_with_peer(Role.SERVER, options)
        for number in range(9):
            peer.connection.send_message(f"{number:6}")
        peer.flush()
        await settle()
        assert len(server._queue.messages) == 2
        assert [await server.recv() for _ in range(9)] == [f"{number:6}" for number in range(9)]
        peer.stream.abort()

    run(main())


def test_closing_reads_the_answer_past_a_full_queue() -> None:
    async def main() -> None:
        options = WebSocketOptions(receive_queue_messages=2, ping_interval_s=None)
        server, peer = open_with_peer(Role.SERVER, options)
        for number in range(5):
            peer.connection.send_message(str(number))
        peer.flush()
        await settle()
        closing = asyncio.create_task(server.close(1001, "enough"))
        assert isinstance(await peer.event(), CloseReceived)
        peer.stream.close()
        await closing
        assert [message async for message in server] == ["0", "1"]
        assert server.close_code == 1001

    run(main())


def test_messages_before_the_answer_of_a_close_arrive_as_far_as_they_fit() -> None:
    async def main() -> None:
        options = WebSocketOptions(receive_queue_messages=2, ping_interval_s=None)
        server, peer = open_with_peer(Role.SERVER, options)
        server.begin_close()
        for number in range(5):
            peer.connection.send_message(str(number))
        peer.flush()
        assert isinstance(await peer.event(), CloseReceived)
        peer.stream.close()
        await server.wait_closed()
        assert [message async for message in server] == ["0", "1"]

    run(main())


def test_a_message_past_the_limit_closes_with_1009() -> None:
    async def main() -> None:
        options = WebSocketOptions(max_message_octets=10, ping_interval_s=None)
        server, peer = open_with_peer(Role.SERVER, options)
        peer.connection.send_message("fits")
        peer.connection.send_message("this is too long")
        peer.flush()
        event = await peer.event()
        assert isinstance(event, CloseReceived)
        assert event.code == 1009
        assert await server.recv() == "fits"
        closed = await closes(server)
        assert (closed.code, closed.is_remote) == (1009, False)
        assert "longer than 10 octets" in closed.reason
        peer.stream.close()
        await server.wait_closed()

    run(main())


# send


def test_send_waits_while_the_peer_does_not_read() -> None:
    async def main() -> None:
        client, peer = open_with_peer(Role.CLIENT)
        assert client.can_send
        peer.stream.transport.pause_reading()
        await client.send(b"x" * 2 * WRITE_HIGH_OCTETS)
        assert not client.can_send
        assert client.unsent_octets > WRITE_HIGH_OCTETS
        second = asyncio.create_task(client.send(b"second"))
        third = asyncio.create_task(client.send(b"third"))
        await settle()
        assert not second.done()
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        peer.stream.transport.resume_reading()
        await third
        received = [await peer.event(), await peer.event()]
        assert received == [Message(b"x" * 2 * WRITE_HIGH_OCTETS), Message(b"third")]
        peer.stream.close()
        await client.wait_closed()

    run(main())


def test_a_blocked_send_has_a_deadline_on_request() -> None:
    async def main() -> None:
        options = WebSocketOptions(send_timeout_s=3, ping_interval_s=None)
        client, peer = open_with_peer(Role.CLIENT, options)
        peer.stream.transport.pause_reading()
        await client.send(b"x" * 2 * WRITE_HIGH_OCTETS)
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        with pytest.raises(StreamError, match="sending a message") as raised:
            await client.send("more")
        assert raised.value.is_timeout
        assert loop.time() - began_s == pytest.approx(3)
        assert client.state is State.OPEN
        client.abort()
        await client.wait_closed()

    run(main())


def test_a_blocked_send_ends_with_the_connection() -> None:
    async def main() -> None:
        client, peer = open_with_peer(Role.CLIENT)
        peer.stream.transport.pause_reading()
        await client.send(b"x" * 2 * WRITE_HIGH_OCTETS)
        blocked = asyncio.create_task(client.send("more"))
        await settle()
        peer.stream.abort()
        with pytest.raises(ConnectionClosed) as raised:
            await blocked
        assert raised.value.code == 1006
        assert raised.value.reason == "Connection reset by peer"

    run(main())


def test_a_loss_that_is_not_told_yet_ends_a_blocked_send_too() -> None:
    async def main() -> None:
        options = WebSocketOptions(receive_queue_messages=1, ping_interval_s=None)
        client, peer = open_with_peer(Role.CLIENT, options)
        peer.connection.send_message("fills the queue")
        peer.flush()
        await settle()
        peer.stream.transport.pause_reading()
        await client.send(b"x" * 2 * WRITE_HIGH_OCTETS)
        blocked = asyncio.create_task(client.send("more"))
        await settle()
        peer.stream.abort()
        with pytest.raises(ConnectionClosed):
            await blocked
        assert await client.recv() == "fills the queue"
        assert (await closes(client)).code == 1006

    run(main())


def test_a_loop_of_sends_lets_others_run() -> None:
    async def main() -> None:
        client, peer = open_with_peer(Role.CLIENT)
        ran = asyncio.Event()
        asyncio.get_running_loop().call_soon(ran.set)
        for _ in range(SENDS_BEFORE_YIELD - 1):
            await client.send("")
        assert not ran.is_set()
        await client.send("")
        assert ran.is_set()
        peer.stream.abort()
        await client.wait_closed()

    run(main())


async def asynchronous(pieces: list[str], gate: asyncio.Event) -> AsyncIterator[str]:
    for piece in pieces:
        yield piece
        await gate.wait()


def test_who_observes_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    def observe(frame: FrameInfo) -> None:
        raise RuntimeError("a bug")

    async def main() -> None:
        near, far = memory_pair()
        client, server = open_on(near, Role.CLIENT, observe=observe), open_on(far, Role.SERVER)
        await client.send("hello")
        assert await server.recv() == "hello"
        await server.send("back")
        assert await client.recv() == "back"
        await client.close()
        await server.wait_closed()

    run(main())
    assert {record.name for record in caplog.records} == {"upwire.websocket"}


def test_fragments_never_mix_with_other_messages() -> None:
    async def main() -> None:
        near, far = memory_pair()
        frames: list[FrameInfo] = []
        client = open_on(near, Role.CLIENT, observe=frames.append)
        server = open_on(far, Role.SERVER)
        gate = asyncio.Event()
        sending = asyncio.create_task(client.send(asynchronous(["a", "b", "c"], gate)))
        await settle()
        others = [asyncio.create_task(client.send(text)) for text in ("second", "third")]
        assert await client.ping() >= 0  # control frames may go between
        assert not client.can_send
        gate.set()
        await asyncio.gather(sending, *others)
        assert [await server.recv() for _ in range(3)] == ["abc", "second", "third"]
        sent = [frame for frame in frames if frame.direction is Direction.SENT]
        assert [frame.opcode.name for frame in sent] == [
            "TEXT",
            "PING",
            "CONTINUATION",
            "CONTINUATION",
            "CONTINUATION",
            "TEXT",
            "TEXT",
        ]
        assert [frame.is_final for frame in sent if frame.opcode < 8] == [
            False,
            False,
            False,
            True,
            True,
            True,
        ]
        await client.close()

    run(main())


def test_an_iterable_is_one_message() -> None:
    async def main() -> None:
        client, server = open_pair()
        await client.send([b"ab", bytearray(b"cd")])
        await client.send(text for text in ("e", "f"))
        await client.send([])
        await client.send("last")
        assert [await server.recv() for _ in range(3)] == [b"abcd", "ef", "last"]
        await client.close()

    run(main())


def test_what_is_no_message_is_refused() -> None:
    async def main() -> None:
        client, _ = open_pair()
        for wrong in (None, 7, {"a": "dict"}):
            with pytest.raises(TypeError, match="a message is str, bytes or an iterable"):
                await client.send(wrong)  # type: ignore[arg-type]  # that is the test
        client.abort()
        await client.wait_closed()

    run(main())


def failing() -> Iterator[str]:
    yield "begun"
    raise RuntimeError("no more")


def test_a_message_that_fails_half_way_closes_with_1011() -> None:
    async def main() -> None:
        client, server = open_pair()
        with pytest.raises(RuntimeError, match="no more"):
            await client.send(failing())
        closed = await closes(server)
        assert (closed.code, closed.reason) == (1011, "a message was cut off")
        await client.wait_closed()

    run(main())


def test_a_message_that_fails_before_its_first_fragment_changes_nothing() -> None:
    async def main() -> None:
        client, server = open_pair()
        with pytest.raises(RuntimeError, match="no more"):
            await client.send(text for text in failing() if text != "begun")
        with pytest.raises(LocalProtocolError):
            await client.send(["\ud800"])
        await client.send("fine")
        assert await server.recv() == "fine"
        await client.close()

    run(main())


def test_fragments_stop_when_the_connection_closes() -> None:
    async def main() -> None:
        client, server = open_pair()
        gate = asyncio.Event()
        sending = asyncio.create_task(client.send(asynchronous(["a", "b"], gate)))
        await settle()
        await server.close(4001)
        gate.set()
        with pytest.raises(ConnectionClosed) as raised:
            await sending
        assert raised.value.code == 4001

        client, server = open_pair()
        sending = asyncio.create_task(client.send(asynchronous(["only"], gate := asyncio.Event())))
        await settle()
        await server.close(4002)
        gate.set()
        with pytest.raises(ConnectionClosed) as raised:
            await sending
        assert raised.value.code == 4002

    run(main())


def test_sending_on_what_is_closed_says_why() -> None:
    async def main() -> None:
        client, server = open_pair()
        server.begin_close(4003, "bye")
        with pytest.raises(ConnectionClosed) as raised:
            await server.send("too late")
        assert (raised.value.code, raised.value.is_remote) == (4003, False)
        with pytest.raises(ConnectionClosed):
            await server.ping()
        await client.wait_closed()
        with pytest.raises(ConnectionClosed) as raised:
            await client.send("too late")
        assert (raised.value.code, raised.value.reason) == (4003, "bye")
        assert raised.value.is_remote

    run(main())


# Pings


def test_ping_gives_the_round_trip() -> None:
    async def main() -> None:
        client, peer = open_with_peer(Role.CLIENT)
        assert client.latency_s is None
        pinging = asyncio.create_task(client.ping("are you there"))
        await settle()
        await asyncio.sleep(0.25)
        assert await peer.event() == Ping(b"are you there")
        assert await pinging == pytest.approx(0.25)
        assert client.latency_s == pytest.approx(0.25)
        peer.stream.abort()
        await client.wait_closed()

    run(main())


def test_ping_has_a_deadline() -> None:
    async def main() -> None:
        options = WebSocketOptions(ping_interval_s=None, ping_timeout_s=5)
        client, peer = open_with_peer(Role.CLIENT, options)
        with pytest.raises(StreamError, match="no pong came") as raised:
            await client.ping()
        assert raised.value.is_timeout
        peer.stream.abort()
        await client.wait_closed()

    run(main())


def test_a_flood_of_pings_is_not_read_while_pongs_pile_up() -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER)
        peer.stream.transport.pause_reading()
        await server.send(b"x" * 2 * WRITE_HIGH_OCTETS)
        blocked_octets = server.unsent_octets
        for _ in range(1000):
            peer.connection.send_ping(b"!" * 125)
            peer.flush()
            await asyncio.sleep(0)
        await settle()
        assert server.unsent_octets < blocked_octets + 10 * 127
        peer.stream.transport.resume_reading()
        assert isinstance(await peer.event(), Message)
        for _ in range(1000):
            assert await peer.event() == Pong(b"!" * 125)
        peer.stream.close()
        await server.wait_closed()

    run(main())


@pytest.mark.parametrize("kind", [Ping, Pong])
def test_a_flood_of_control_frames_in_one_read_lets_other_tasks_run(
    kind: type[Ping | Pong],
) -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER)
        for _ in range(2 * FRAMES_A_TURN):
            if kind is Ping:
                peer.connection.send_ping(b"?")
            else:
                peer.connection.send_pong(b"!")
        peer.connection.send_message("behind them")
        server.octets_received(peer.connection.take_output())
        receiving = asyncio.create_task(server.recv())
        await asyncio.sleep(0)
        assert not receiving.done()
        assert await receiving == "behind them"
        server.abort()
        await server.wait_closed()

    run(main())


def test_the_pongs_of_one_read_are_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER)
        for _ in range(FRAMES_A_TURN - 1):
            peer.connection.send_ping()
        writes: list[bytes] = []
        monkeypatch.setattr(server._stream.transport, "write", writes.append)
        server.octets_received(peer.connection.take_output())
        assert writes == [b"\x8a\x00" * (FRAMES_A_TURN - 1)]
        server.abort()
        await server.wait_closed()

    run(main())


def test_a_flood_of_pings_ends_with_the_connection() -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER)
        peer.stream.transport.pause_reading()
        await server.send(b"x" * 2 * WRITE_HIGH_OCTETS)
        peer.connection.send_ping()
        peer.flush()
        await settle()
        server.abort()
        await server.wait_closed()
        assert server.close_code == 1006

    run(main())


def test_a_peer_that_answers_no_ping_is_given_up() -> None:
    async def main() -> None:
        client, peer = open_with_peer(Role.CLIENT, WebSocketOptions())
        loop = asyncio.get_running_loop()
        closed = await closes(client)
        assert loop.time() == pytest.approx(40)
        assert (closed.code, closed.reason) == (1011, "keepalive ping timeout")
        assert not closed.is_remote
        assert isinstance(await peer.event(), Ping)
        event = await peer.event()
        assert event == CloseReceived(1011, "keepalive ping timeout")
        await client.wait_closed()  # the peer's end was not waited for in vain
        assert loop.time() <= 50

    run(main())


def test_keepalive_finds_a_loss_behind_a_full_queue() -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER, WebSocketOptions(receive_queue_messages=1))
        peer.connection.send_message("not received")
        peer.flush()
        await settle()
        peer.stream.abort()
        await asyncio.sleep(19)
        assert server.close_code is None
        await asyncio.sleep(2)
        assert server.close_code == 1006
        assert await server.recv() == "not received"
        assert (await closes(server)).code == 1006

    run(main())


def test_who_waits_for_the_end_learns_a_loss_behind_a_full_queue_at_once() -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER, WebSocketOptions(receive_queue_messages=1))
        peer.connection.send_message("not received")
        peer.flush()
        await settle()
        peer.stream.abort()
        await server.wait_closed()
        assert asyncio.get_running_loop().time() == 0
        assert await server.recv() == "not received"
        assert (await closes(server)).code == 1006

    run(main())


def test_keepalive_goes_on_while_pongs_come() -> None:
    async def main() -> None:
        client, server = open_pair(WebSocketOptions())
        await asyncio.sleep(1000)
        assert client.latency_s is not None
        assert server.state is State.OPEN
        await client.close()

    run(main())


# Closing


def test_close_waits_for_both_sides() -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER)
        closing = asyncio.create_task(server.close(1000, "done"))
        await settle()
        assert not closing.done()
        assert await peer.event() == CloseReceived(1000, "done")
        assert await peer.stream.read() == b""  # the server ends first
        peer.stream.close()
        await closing
        await server.close()  # does nothing more

    run(main())


def test_the_peer_of_a_close_learns_code_and_reason() -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER)
        peer.connection.send_close(4321, "because")
        peer.flush()
        closed = await closes(server)
        assert (closed.code, closed.reason, closed.is_remote) == (4321, "because", True)
        peer.stream.close()
        await server.wait_closed()

    run(main())


def test_crossing_closes_tell_each_side_the_others_code() -> None:
    async def main() -> None:
        client, server = open_pair()
        client.begin_close(4001, "client")
        server.begin_close(4002, "server")
        await asyncio.gather(client.wait_closed(), server.wait_closed())
        assert (client.close_code, client.close_reason) == (4002, "server")
        assert (server.close_code, server.close_reason) == (4001, "client")

    run(main())


def test_a_peer_that_does_not_answer_the_close_is_cut() -> None:
    async def main() -> None:
        client, peer = open_with_peer(Role.CLIENT)
        loop = asyncio.get_running_loop()
        await client.close(1000)
        assert loop.time() == pytest.approx(10)
        assert client.close_code == 1006
        assert client.close_reason == "the peer did not close within 10 s"
        await peer.stream.wait_closed()

    run(main())


def test_an_end_without_close_is_1006() -> None:
    async def main() -> None:
        client, peer = open_with_peer(Role.CLIENT)
        peer.stream.close()
        closed = await closes(client)
        assert (closed.code, closed.reason, closed.is_remote) == (1006, "no Close came", True)
        await client.wait_closed()

    run(main())


def test_a_violation_is_answered_with_its_code() -> None:
    async def main() -> None:
        server, peer = open_with_peer(Role.SERVER)
        peer.stream.write(b"\x81\x02hi")  # not masked
        assert isinstance(event := await peer.event(), CloseReceived)
        assert event.code == 1002
        peer.stream.write(b"what follows is dropped")
        assert (await closes(server)).code == 1002
        peer.stream.close()
        await server.wait_closed()

    run(main())


@pytest.mark.parametrize("role", list(Role))
def test_closing_works_without_half_close(role: Role) -> None:
    async def main() -> None:
        ws, peer = open_with_peer(role, can_half_close=False)
        peer.connection.send_message("last words")
        peer.connection.send_close(1000)
        peer.flush()
        assert await ws.recv() == "last words"
        assert (await closes(ws)).code == 1000
        peer.stream.close()
        await ws.wait_closed()

    run(main())


def test_pings_end_with_the_connection() -> None:
    async def main() -> None:
        client, peer = open_with_peer(Role.CLIENT)
        pinging = asyncio.create_task(client.ping())
        await settle()
        peer.stream.abort()
        with pytest.raises(ConnectionClosed):
            await pinging

    run(main())


def test_what_is_closed_does_not_wait_for_the_garbage_collector() -> None:
    async def main() -> None:
        client, server = open_pair(WebSocketOptions())
        kept = [weakref.ref(client), weakref.ref(server)]
        await client.send("hello")
        await server.recv()
        await client.close()
        await server.wait_closed()
        del client, server
        await settle()
        assert [websocket() for websocket in kept] == [None, None]

    gc.disable()
    try:
        run(main())
    finally:
        gc.enable()


def test_a_wrong_close_is_refused_and_changes_nothing() -> None:
    async def main() -> None:
        client, server = open_pair()
        with pytest.raises(LocalProtocolError):
            await client.close(1006)
        await client.send("still open")
        assert await server.recv() == "still open"
        await client.close()

    run(main())


@pytest.mark.parametrize(
    ("error", "code"), [(None, 1000), (RuntimeError(), 1011), (GeneratorExit(), 1000)]
)
def test_leaving_the_block_closes(error: BaseException | None, code: int) -> None:
    async def main() -> None:
        client, server = open_pair()
        with suppress(RuntimeError, GeneratorExit):
            async with client as same:
                assert same is client
                if error is not None:
                    raise error
        assert (client.close_code, server.close_code) == (code, code)

    run(main())
