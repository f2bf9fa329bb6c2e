"""Callbacks in place of a task that receives: over streams in memory, the clock jumping."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable

import pytest

from kit.memory_stream import memory_pair
from kit.virtual_time import run, settle
from kit.websockets import open_on, open_pair
from upwire.errors import ConnectionClosed, LocalProtocolError, RemoteProtocolError
from upwire.net.websocket import Callbacks, WebSocket, WebSocketOptions
from upwire.net.websocket._channel import CALLS_A_TURN
from upwire.wire.websocket import Role

QUIET = WebSocketOptions(ping_interval_s=None)


class Notes(Callbacks):
    """Writes down what it is called with; then does what a test asks for."""

    def __init__(self, then: Callable[[WebSocket, str | bytes], None] | None = None) -> None:
        self.calls: list[object] = []
        self.closed: list[ConnectionClosed] = []
        self.then = then

    def on_open(self, ws: WebSocket) -> None:
        self.calls.append("open")

    def on_message(self, ws: WebSocket, message: str | bytes) -> None:
        self.calls.append(message)
        if self.then is not None:
            self.then(ws, message)

    def on_close(self, ws: WebSocket, closed: ConnectionClosed) -> None:
        self.closed.append(closed)


def test_each_message_is_answered_from_its_callback() -> None:
    async def main() -> None:
        client, server = open_pair()
        notes = Notes(lambda ws, message: void(ws.send_nowait(message)))
        server.push_to(notes)
        for message in ("one", b"two"):
            await client.send(message)
            assert await client.recv() == message
        await client.close(1000, "done")
        await server.wait_closed()
        assert notes.calls == ["open", "one", b"two"]
        assert [(closed.code, closed.reason) for closed in notes.closed] == [(1000, "done")]

    run(main())


def void(_: object) -> None:
    """Drop a result."""


def test_the_methods_that_a_subclass_leaves_out_do_nothing() -> None:
    async def main() -> None:
        client, server = open_pair()
        server.push_to(Callbacks())
        await client.send("ignored")
        await client.close()
        await server.wait_closed()
        assert server.close_code == 1000

    run(main())


def test_messages_that_waited_for_recv_come_first() -> None:
    async def main() -> None:
        client, server = open_pair()
        await client.send("before")
        await settle()
        notes = Notes()
        server.push_to(notes)
        assert notes.calls == ["open", "before"]
        with pytest.raises(LocalProtocolError, match="go to its callbacks"):
            await server.recv()
        server.push_to(None)
        await client.send("pulled")
        assert await server.recv() == "pulled"
        await client.close()

    run(main())


def test_a_task_that_waits_and_callbacks_exclude_each_other() -> None:
    async def main() -> None:
        client, server = open_pair()
        receiving = asyncio.create_task(server.recv())
        await settle()
        with pytest.raises(LocalProtocolError, match="a task waits"):
            server.push_to(Notes())
        await client.send("for the task")
        assert await receiving == "for the task"
        await client.close()

    run(main())


def test_a_pause_holds_messages_back_and_slows_the_peer() -> None:
    async def main() -> None:
        client, server = open_pair()
        notes = Notes(lambda ws, message: ws.pause())
        server.push_to(notes)
        for number in range(3):
            await client.send(str(number))
        await settle()
        assert notes.calls == ["open", "0"]
        for _ in range(2):
            server.resume()
            await settle()
        assert notes.calls == ["open", "0", "1", "2"]
        server.resume()
        await client.close()

    run(main())


def test_queued_messages_stop_at_a_pause() -> None:
    async def main() -> None:
        client, server = open_pair()
        for number in range(2):
            await client.send(str(number))
        await settle()
        notes = Notes(lambda ws, message: ws.pause())
        server.push_to(notes)
        assert notes.calls == ["open", "0"]
        server.resume()
        assert notes.calls == ["open", "0", "1"]
        client.abort()
        server.abort()

    run(main())


def test_closing_ends_a_pause_and_nothing_is_delivered_behind_it() -> None:
    async def main() -> None:
        client, server = open_pair()
        notes = Notes(lambda ws, message: ws.pause())
        server.push_to(notes)
        for number in range(2):
            await client.send(str(number))
        await settle()
        closing = asyncio.create_task(server.close())
        await client.wait_closed()
        await closing
        assert notes.calls == ["open", "0"]
        assert [closed.code for closed in notes.closed] == [1000]

    run(main())


@pytest.mark.parametrize(
    ("error", "code", "level"),
    [
        (RuntimeError("a bug"), 1011, logging.ERROR),
        (RemoteProtocolError("nonsense", close_code=1008), 1008, None),
        (ConnectionClosed(1006), 1011, logging.DEBUG),
        (asyncio.CancelledError(), 1011, logging.ERROR),
    ],
)
def test_a_callback_that_fails_closes(
    error: BaseException, code: int, level: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(ws: WebSocket, message: str | bytes) -> None:
        raise error

    async def main() -> None:
        client, server = open_pair()
        notes = Notes(fail)
        server.push_to(notes)
        await client.send("first")
        await client.send("second")
        with pytest.raises(ConnectionClosed) as raised:
            await client.recv()
        assert raised.value.code == code
        await server.wait_closed()
        await settle()
        assert notes.calls == ["open", "first"]
        assert [closed.code for closed in notes.closed] == [code]

    caplog.set_level(logging.DEBUG, "upwire.websocket")
    run(main())
    assert [record.levelno for record in caplog.records] == [level] * (level is not None)


def test_on_open_and_on_close_may_fail_too(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(Callbacks):
        def on_open(self, ws: WebSocket) -> None:
            raise RuntimeError("at the beginning")

        def on_close(self, ws: WebSocket, closed: ConnectionClosed) -> None:
            raise RuntimeError("at the end")

    async def main() -> None:
        client, server = open_pair()
        server.push_to(Failing())
        with pytest.raises(ConnectionClosed) as raised:
            await client.recv()
        assert raised.value.code == 1011
        await server.wait_closed()
        await settle()

    run(main())
    assert len(caplog.records) == 2


def test_callbacks_of_what_is_closed_already_hear_of_it() -> None:
    async def main() -> None:
        client, server = open_pair()
        await client.send("last words")
        await client.close(4000)
        await server.wait_closed()
        notes = Notes()
        server.push_to(notes)
        await settle()
        assert notes.calls == ["open", "last words"]
        assert [closed.code for closed in notes.closed] == [4000]

    run(main())


def test_a_flood_of_messages_lets_other_tasks_run() -> None:
    async def main() -> None:
        near, far = memory_pair()
        server = open_on(near, Role.SERVER)
        notes = Notes()
        server.push_to(notes)
        far.write(b"\x82\x80\0\0\0\0" * (CALLS_A_TURN + 1))
        await asyncio.sleep(0)  # the write is read in this turn
        assert len(notes.calls) == 1 + CALLS_A_TURN
        await settle()
        assert len(notes.calls) == 1 + CALLS_A_TURN + 1
        server.abort()

    run(main())


def test_a_queue_with_room_takes_more_messages_than_callbacks_do() -> None:
    async def main() -> None:
        near, far = memory_pair()
        options = WebSocketOptions(ping_interval_s=None, receive_queue_messages=10 * CALLS_A_TURN)
        server = open_on(near, Role.SERVER, options)
        far.write(b"\x82\x80\0\0\0\0" * (3 * CALLS_A_TURN))
        await settle()
        assert server._connection.unread_octets == 0
        assert len(server._queue.messages) == 3 * CALLS_A_TURN
        server.abort()

    run(main())


# send_nowait


def test_send_nowait_tells_what_waits_for_a_slow_peer() -> None:
    async def main() -> None:
        client, server = open_pair()
        server._stream.transport.pause_reading()
        waiting = [client.send_nowait(bytes(1000)) for _ in range(3)]
        assert waiting == [1008, 2016, 3024]
        assert client.unsent_octets == 3024
        assert client.send_nowait(memoryview(b"x")) == 3024 + 7
        server._stream.transport.resume_reading()
        assert [await server.recv() for _ in range(4)] == [bytes(1000)] * 3 + [b"x"]
        await client.close()
        assert client.unsent_octets == 0

    run(main())


def test_what_send_nowait_may_leave_waiting_has_a_limit() -> None:
    async def main() -> None:
        options = WebSocketOptions(ping_interval_s=None, send_buffer_octets=1500)
        client, server = open_pair(options)
        server._stream.transport.pause_reading()
        assert client.send_nowait(bytes(1000)) == 1008
        client.send_nowait(bytes(1000))
        with pytest.raises(ConnectionClosed) as raised:
            await client.recv()
        assert raised.value.code == 1006
        assert raised.value.reason == "the peer does not take 2016 octets"

    run(main())


def test_send_nowait_on_what_is_closed_says_why() -> None:
    async def main() -> None:
        client, _ = open_pair()
        client.begin_close(4001, "enough")
        with pytest.raises(ConnectionClosed) as raised:
            client.send_nowait("too late")
        assert raised.value.code == 4001
        await client.wait_closed()

    run(main())


def test_send_nowait_does_not_go_between_fragments() -> None:
    async def main() -> None:
        client, server = open_pair()
        gate = asyncio.Event()

        async def pieces() -> AsyncIterator[str]:
            yield "a"
            await gate.wait()

        sending = asyncio.create_task(client.send(pieces()))
        await settle()
        with pytest.raises(LocalProtocolError, match="fragmented"):
            client.send_nowait("between")
        gate.set()
        await sending
        assert await server.recv() == "a"
        await client.close()

    run(main())


def test_a_callback_may_resume_what_it_is_called_from() -> None:
    def pause_and_resume(ws: WebSocket, message: str | bytes) -> None:
        ws.pause()
        ws.resume()

    async def main() -> None:
        client, server = open_pair()
        for number in range(3):
            await client.send(str(number))
        await settle()
        notes = Notes(pause_and_resume)
        server.push_to(notes)
        await client.send("3")
        await settle()
        assert notes.calls == ["open", "0", "1", "2", "3"]
        await client.close()

    run(main())
