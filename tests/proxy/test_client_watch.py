from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from kit import virtual_time
from kit.memory_stream import memory_pair
from upwire.net.stream import Stream
from upwire.proxy.client_watch import ClientGone, ClientWatch


async def answer_of_nobody() -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("end", [Stream.write_eof, Stream.close, Stream.abort])
def test_the_clients_end_interrupts(end: Callable[[Stream], None]) -> None:
    async def inner() -> None:
        stream, client = memory_pair()
        asyncio.get_running_loop().call_soon(end, client)
        with pytest.raises(ClientGone), ClientWatch(stream):
            await answer_of_nobody()
        await asyncio.sleep(0)  # not cancelled any more
        stream.abort()

    virtual_time.run(inner())


def test_a_client_that_has_ended_before_is_gone() -> None:
    async def inner() -> None:
        stream, client = memory_pair()
        client.write_eof()
        assert await stream.read() == b""
        with pytest.raises(ClientGone), ClientWatch(stream):
            await answer_of_nobody()
        with ClientWatch(stream):
            pass  # nothing was waited for
        await asyncio.sleep(0)
        stream.abort()

    virtual_time.run(inner())


def test_what_comes_early_is_the_next_readers() -> None:
    async def inner() -> None:
        stream, client = memory_pair()
        with ClientWatch(stream):
            client.write(b"GET /next")
            await virtual_time.settle()
        assert await stream.read() == b"GET /next"
        client.write_eof()  # nobody watches any more
        assert await stream.read() == b""
        stream.abort()

    virtual_time.run(inner())


def test_another_error_passes() -> None:
    async def fail(stream: Stream, client: Stream) -> None:
        with ClientWatch(stream):
            client.abort()
            try:
                await answer_of_nobody()
            except asyncio.CancelledError:
                raise ValueError("own") from None

    async def inner() -> None:
        with pytest.raises(ValueError, match="own"):
            await fail(*memory_pair())

    virtual_time.run(inner())


def test_another_cancellation_passes() -> None:
    async def wait(stream: Stream, client: Stream) -> None:
        with ClientWatch(stream):
            client.abort()
            await answer_of_nobody()

    async def inner() -> None:
        task = asyncio.create_task(wait(*memory_pair()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtual_time.run(inner())
