from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from OpenSSL import SSL

from kit.check_stream import (
    CHECKS,
    DEADLINE_S,
    HALF_CLOSE_CHECKS,
    Check,
    Pair,
    RecordingSink,
    fill,
    name_of,
    read_octets,
    run_check,
)
from kit.loop import in_loop
from kit.memory_stream import memory_pair
from kit.socket_stream import socket_streams
from kit.tls_files import Identity, client_connection, make_self_signed, server_connection
from upwire.errors import StreamError
from upwire.net.tls.transport import RECORD_OCTETS, TlsTransport, describe, start_tls

IDENTITY = make_self_signed("localhost")


async def over(
    lower: Pair, record_octets: int = RECORD_OCTETS, identity: Identity = IDENTITY
) -> tuple[TlsTransport, TlsTransport]:
    """Shake hands on two connected Streams: the client's side and the server's."""
    near, far = await asyncio.gather(
        start_tls(lower[0], client_connection(), timeout_s=DEADLINE_S, record_octets=record_octets),
        start_tls(lower[1], server_connection(identity), timeout_s=DEADLINE_S),
    )
    return near, far


async def in_memory(record_octets: int = RECORD_OCTETS) -> Pair:
    near, far = await over(memory_pair(), record_octets)
    return near.open(), far.open()


async def over_sockets() -> Pair:
    near, far = await over(await socket_streams())
    return near.open(), far.open()


@pytest.mark.parametrize("check", CHECKS + HALF_CLOSE_CHECKS, ids=name_of)
@pytest.mark.parametrize(
    "make_pair",
    [in_memory, partial(in_memory, 100), partial(in_memory, 65536), over_sockets],
    ids=["memory", "small records", "large records", "tcp"],
)
def test_a_stream_like_any_other(check: Check, make_pair: Callable[[], Awaitable[Pair]]) -> None:
    asyncio.run(run_check(check, make_pair))


async def handshake_fails(
    lower: Pair, connection: SSL.Connection, timeout_s: float = DEADLINE_S
) -> StreamError:
    with pytest.raises(StreamError) as caught:
        await start_tls(lower[0], connection, timeout_s=timeout_s)
    assert caught.value.doing == "SSL_do_handshake()"
    return caught.value


@in_loop
async def test_what_is_no_tls_is_refused_with_an_alert() -> None:
    lower = memory_pair()
    lower[1].write(b"\x16\x03\x01\x00\x05hello")
    error = await handshake_fails(lower, server_connection(IDENTITY))
    assert isinstance(error.__cause__, SSL.Error)
    assert error.message.startswith("SSL: error:SSL routines:")
    assert (await lower[1].read(timeout_s=DEADLINE_S))[:1] == b"\x15"


@in_loop
async def test_a_peer_that_leaves_ends_the_handshake() -> None:
    lower = memory_pair()
    lower[1].close()
    error = await handshake_fails(lower, client_connection())
    assert error.message == "peer closed connection in SSL handshake"


@in_loop
async def test_a_handshake_has_a_deadline() -> None:
    error = await handshake_fails(memory_pair(), client_connection(), timeout_s=0.01)
    assert error.is_timeout


@in_loop
async def test_the_first_flight_is_kept_until_it_is_taken() -> None:
    near, far = await over(memory_pair())
    for transport, first in ((near, 1), (far, 2)):
        flight = transport.take_flights()[0]
        assert (flight[0], flight[5]) == (22, first)
        assert not transport.take_flights()
        assert isinstance(transport.get_extra_info("ssl_object"), SSL.Connection)
        transport.abort()


@pytest.mark.parametrize("record_octets", [0, 65536])
@in_loop
async def test_a_record_holds_what_it_can(record_octets: int) -> None:
    lower = memory_pair()
    near, far = [transport.open() for transport in await over(lower, record_octets)]
    content = bytes(range(256)) * 256
    near.write(content)
    near.write_eof()
    assert await read_octets(far, len(content)) == content
    near.abort()
    far.abort()


@in_loop
async def test_content_behind_the_handshake_is_there_at_once() -> None:
    lower = memory_pair()
    connection = client_connection()
    shaking = asyncio.create_task(
        start_tls(lower[1], server_connection(IDENTITY), timeout_s=DEADLINE_S)
    )
    near = await start_tls(lower[0], connection, timeout_s=DEADLINE_S)
    upper = near.open()
    upper.write(b"early")
    far = (await shaking).open()
    assert await far.read(timeout_s=DEADLINE_S) == b"early"
    upper.abort()


@in_loop
async def test_a_cut_is_no_end() -> None:
    lower = memory_pair()
    near, far = (transport.open() for transport in await over(lower))
    near.write(b"first")
    lower[0].write_eof()
    assert await far.read(timeout_s=DEADLINE_S) == b"first"
    assert await far.read(timeout_s=DEADLINE_S) == b""
    assert far.is_truncated
    far.close()
    await far.wait_closed()


@in_loop
async def test_a_closure_alert_is_an_end() -> None:
    lower = memory_pair()
    near, far = (transport.open() for transport in await over(lower))
    near.write_eof()
    assert await far.read(timeout_s=DEADLINE_S) == b""
    lower[0].write_eof()
    far.write(b"more")
    assert await near.read(timeout_s=DEADLINE_S) == b"more"
    assert not far.is_truncated
    assert near.transport.is_reading()
    for stream in (near, far):
        stream.abort()


@pytest.mark.parametrize("step", [1, 3, 4096])
@in_loop
async def test_records_in_pieces(step: int) -> None:
    """A message is the same, however its records are split on the way."""
    lower = memory_pair()
    near, far = await over(lower)
    sent = bytes(range(256)) * 200
    records = memory_pair()
    upper = near.open()
    near._stream = records[0]  # from here on, what it writes goes elsewhere
    upper.write(sent)
    octets = await records[1].read(timeout_s=DEADLINE_S)
    stream = far.open()
    for at in range(0, len(octets), step):
        far.octets_received(octets[at : at + step])
    assert await read_octets(stream, len(sent)) == sent
    assert stream.unread_octets == 0
    for one in (*lower, *records):
        one.abort()


@in_loop
async def test_garbage_among_records_is_a_loss() -> None:
    lower = memory_pair()
    near, far = (transport.open() for transport in await over(lower))
    sink = RecordingSink(far)
    far.push_to(sink)
    lower[0].write(b"\x17\x03\x03\x00\x10" + b"x" * 16)
    await sink.until(lambda: "lost" in sink.told)
    assert isinstance(sink.error, StreamError)
    assert "SSL" in str(sink.error)
    with pytest.raises(StreamError):
        await read_octets(near, 1)
    far.write(b"vanishes")


@in_loop
async def test_what_was_decrypted_waits_for_the_reader() -> None:
    near, far = await in_memory()
    sink = RecordingSink(far, pauses=True)
    far.push_to(sink)
    for text in (b"one", b"two"):
        near.write(text)
    await sink.until(lambda: sink.received == b"one")
    far.transport.pause_reading()
    far.transport.resume_reading()
    far.transport.resume_reading()
    far.transport.pause_reading()
    assert not far.transport.is_reading()
    await asyncio.sleep(0)
    assert sink.received == b"one"
    far.transport.resume_reading()
    sink.pauses = False
    far.resume()
    await sink.until(lambda: sink.received == b"onetwo")
    for stream in (near, far):
        stream.abort()


@in_loop
async def test_a_loss_below_ends_who_waits_to_write() -> None:
    lower = memory_pair()
    near, far = (transport.open() for transport in await over(lower))
    await fill(near)
    drainer = asyncio.create_task(near.drain())
    await asyncio.sleep(0)
    lower[0].abort()
    with pytest.raises(StreamError):
        await drainer
    near.write(b"vanishes")
    far.abort()


@in_loop
async def test_nothing_is_written_behind_the_end() -> None:
    near, far = await in_memory()
    near.write_eof()
    near.transport.write(b"vanishes")
    near.transport.write_eof()
    near.close()
    near.transport.close()
    near.transport.write_eof()
    assert near.transport.is_closing()
    assert await far.read(timeout_s=DEADLINE_S) == b""
    far.abort()


@in_loop
async def test_a_change_of_keys_is_answered() -> None:
    """TLS 1.2 has renegotiation in its place, which is refused by an alert, not by silence."""
    lower = memory_pair()
    client = client_connection(version=SSL.TLS1_2_VERSION)
    server = server_connection(IDENTITY)
    server.set_options(SSL.OP_NO_RENEGOTIATION)
    near, far = await asyncio.gather(
        start_tls(lower[0], client, timeout_s=DEADLINE_S),
        start_tls(lower[1], server, timeout_s=DEADLINE_S),
    )
    upper, other = near.open(), far.open()
    client.renegotiate()
    with pytest.raises(SSL.Error):
        client.do_handshake()
    near._send_flight()
    with pytest.raises(StreamError, match="SSL"):
        await upper.read(timeout_s=DEADLINE_S)
    other.abort()


def test_a_loss_leaves_no_cycle_of_references() -> None:
    async def main() -> None:
        near, far = await over_sockets()
        near.close()
        assert await far.read(timeout_s=DEADLINE_S) == b""
        far.close()
        for stream in (near, far):
            await stream.wait_closed()

    gc.collect()
    gc.disable()
    try:
        asyncio.run(main())
        assert not any(type(one) is TlsTransport for one in gc.get_objects())
    finally:
        gc.enable()


def test_reasons() -> None:
    assert describe(SSL.SysCallError(-1, "Unexpected EOF")) == "unexpected end"
    assert describe(SSL.Error()) == "SSL"
    assert describe(SSL.Error([("a", "b", "c")])) == "SSL: error:a:b:c"


@in_loop
async def test_who_takes_a_stream_over_takes_the_one_below() -> None:
    """A listener keeps the lower Stream, and a tunnel has the upper one."""

    class Keeper:
        def stream_gone(self) -> None:
            pass

    lower = memory_pair()
    keeper = lower[1].keeper = Keeper()
    _, far = await over(lower)
    upper = far.open()
    assert upper.hand_over() is keeper
    assert lower[1].keeper is None
    assert upper.hand_over() is None
