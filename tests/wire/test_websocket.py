"""One side of an open WebSocket: messages, control frames, the closing handshake, limits."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.connection_pair import ConnectionPair, build_connection, feed_in_steps, take_events
from upwire.errors import LocalProtocolError, RemoteProtocolError
from upwire.wire._codec import build_frame
from upwire.wire.deflate import DeflateParameters, PerMessageDeflate
from upwire.wire.frames import Opcode
from upwire.wire.websocket import (
    FRAGMENTS_A_CALL,
    CloseReceived,
    Connection,
    Direction,
    Disconnected,
    Event,
    Fragments,
    FrameInfo,
    Message,
    Ping,
    Pong,
    Role,
    State,
)

DEFLATE = DeflateParameters(min_octets=10)
STEPS = [1, 3, 2**16]


def frame(opcode: int, payload: bytes = b"", *, is_final: bool = True, rsv1: bool = False) -> bytes:
    """A frame as a server sends it."""
    return build_frame(opcode, payload, is_final=is_final, rsv1=rsv1)


def read_until_failure(client: Connection, octets: bytes, step: int) -> tuple[list[Event], int]:
    """Return the events before the violation, and after how many octets it was found."""
    events: list[Event] = []
    for at in range(0, len(octets), step):
        client.feed(octets[at : at + step])
        try:
            while (event := client.next_event()) is not None:
                events.append(event)
        except RemoteProtocolError:
            return events, min(at + step, len(octets))
    raise AssertionError("no violation was found")


def sent_close(client: Connection) -> tuple[int, bytes]:
    """Return code and reason of the Close that a client queued as its only frame."""
    octets = client.take_output()
    assert octets[0] == 0x88
    key, masked = octets[2:6], octets[6:]
    payload = bytes(octet ^ key[i % 4] for i, octet in enumerate(masked))
    return int.from_bytes(payload[:2], "big"), payload[2:]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("deflate", [None, DEFLATE])
def test_messages_travel_both_ways(step: int, deflate: DeflateParameters | None) -> None:
    pair = ConnectionPair(deflate=deflate, step=step)
    messages: list[str | bytes] = ["", b"", "grüße " * 30, bytes(range(256)), "short", b"x" * 5000]
    for message in messages:
        pair.client.send_message(message)
        pair.server.send_message(message)
    pair.exchange()
    assert pair.server_events == [Message(message) for message in messages]
    assert pair.client_events == pair.server_events


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("deflate", [None, DEFLATE])
def test_control_frames_come_between_fragments(
    step: int, deflate: DeflateParameters | None
) -> None:
    pair = ConnectionPair(deflate=deflate, step=step)
    pair.server.send_fragment("grü", is_final=False)
    pair.server.send_ping(b"one")
    pair.server.send_fragment("", is_final=False)
    pair.server.send_pong(b"two")
    pair.server.send_fragment("ße", is_final=True)
    pair.exchange()
    assert pair.client_events == [Ping(b"one"), Pong(b"two"), Message("grüße")]
    assert pair.server_events == [Pong(b"one")]


def test_a_ping_is_answered_before_the_next_frame() -> None:
    client = build_connection(Role.CLIENT)
    client.feed(frame(Opcode.TEXT, b"a", is_final=False) + frame(Opcode.PING, b"now") + b"\x80")
    assert take_events(client) == [Ping(b"now")]
    assert client.take_output()[:2] == b"\x8a\x83"
    assert client.take_output() == b""


def test_each_frame_of_a_client_has_a_fresh_mask() -> None:
    client = build_connection(Role.CLIENT)
    client.send_message("a")
    client.send_ping()
    octets = client.take_output()
    assert octets[:2] == b"\x81\x81"
    assert octets[7:9] == b"\x89\x80"
    assert octets[2:6] != octets[9:13]


@pytest.mark.parametrize(
    ("role", "octets"), [(Role.CLIENT, b"\x81\x81"), (Role.SERVER, b"\x81\x01")]
)
def test_frames_of_the_wrong_side(role: Role, octets: bytes) -> None:
    connection = build_connection(role)
    connection.feed(octets)
    with pytest.raises(RemoteProtocolError, match="masked"):
        connection.next_event()


# What a server may not send, with the code that answers it; found at the last octet given.
VIOLATIONS = [
    (frame(Opcode.CONTINUATION)[:2], 1002),
    (frame(Opcode.TEXT, is_final=False) + b"\x81\x00", 1002),
    (b"\xc1", 1002),
    (b"\x83", 1002),
    (frame(Opcode.CLOSE, b"\x03"), 1002),
    (frame(Opcode.CLOSE, b"\x03\xec"), 1002),
    (frame(Opcode.CLOSE, b"\x03\xe8\xff"), 1007),
    (b"\x81\x02\xff", 1007),
    (b"\x81\x05\xce\xba\xed\xa0", 1007),
    (b"\x81\x01\xce", 1007),
    (b"\x01\x01\xce\x80\x02\xba\xff", 1007),
    (frame(Opcode.TEXT, b"\xce", is_final=False) + b"\x80\x00", 1007),
    (b"\x82\x65", 1009),
    (frame(Opcode.BINARY, bytes(60), is_final=False) + b"\x80\x29", 1009),
    (b"\x82\x7f\x7f" + b"\xff" * 7, 1009),
]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(("octets", "code"), VIOLATIONS)
def test_violations_fail_the_connection(octets: bytes, code: int, step: int) -> None:
    first = frame(Opcode.TEXT, b"ok")
    client = build_connection(Role.CLIENT, max_message_octets=100)
    events, found_at = read_until_failure(client, first + octets + frame(Opcode.PING), step)
    assert events == [Message("ok")]
    assert found_at <= len(first + octets) + step - 1
    assert client.state is State.CLOSED
    assert client.close_code == code
    assert not client.closed_by_remote
    assert sent_close(client) == (code, client.close_reason.encode())
    client.feed(frame(Opcode.PING))
    assert client.next_event() is None
    assert client.take_output() == b""


@pytest.mark.parametrize("step", STEPS)
def test_a_message_may_be_exactly_as_long_as_the_limit(step: int) -> None:
    for deflate in (None, DEFLATE):
        client = build_connection(Role.CLIENT, max_message_octets=100, deflate=deflate)
        octets = frame(Opcode.BINARY, b"x" * 60, is_final=False)
        octets += frame(Opcode.CONTINUATION, b"x" * 40)
        assert feed_in_steps(client, octets, step) == [Message(b"x" * 100)]


@pytest.mark.parametrize("step", STEPS)
def test_the_limit_counts_inflated_octets(step: int) -> None:
    server = PerMessageDeflate(DEFLATE, is_client=False)
    octets = frame(Opcode.BINARY, server.compress(bytes(60), False), is_final=False, rsv1=True)
    octets += frame(Opcode.CONTINUATION, server.compress(bytes(41)))
    client = build_connection(Role.CLIENT, max_message_octets=100, deflate=DEFLATE)
    assert read_until_failure(client, octets, step)[0] == []
    assert sent_close(client)[0] == 1009


@pytest.mark.parametrize("step", STEPS)
def test_inflated_text_is_checked_as_it_comes(step: int) -> None:
    server = PerMessageDeflate(DEFLATE, is_client=False)
    start = frame(Opcode.TEXT, server.compress(b"abc\xff", False), is_final=False, rsv1=True)
    client = build_connection(Role.CLIENT, deflate=DEFLATE)
    read_until_failure(client, start, step)
    assert sent_close(client)[0] == 1007


def test_short_messages_are_not_compressed() -> None:
    server = build_connection(Role.SERVER, deflate=DEFLATE)
    server.send_message("x" * 9)
    assert server.take_output()[0] == 0x81
    server.send_message("x" * 10)
    assert server.take_output()[0] == 0xC1
    server.send_fragment("x", is_final=False)
    server.send_fragment("x", is_final=True)
    octets = server.take_output()
    assert octets[0] == 0x41
    assert frame(Opcode.CONTINUATION, b"")[0] in octets[2:]
    server.send_ping(b"x" * 20)
    assert server.take_output() == frame(Opcode.PING, b"x" * 20)


@pytest.mark.parametrize("step", STEPS)
def test_many_fragments_keep_nothing_but_their_octets(step: int) -> None:
    octets = frame(Opcode.BINARY, is_final=False)
    octets += frame(Opcode.CONTINUATION, is_final=False) * 10_000
    octets += frame(Opcode.CONTINUATION, b"x", is_final=False) * 10_000
    octets += frame(Opcode.CONTINUATION)
    client = build_connection(Role.CLIENT)
    tracemalloc.start()
    try:
        assert feed_in_steps(client, octets, step) == [Message(b"x" * 10_000)]
        _, peak_octets = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_octets < 400_000


def test_what_is_too_long_is_not_kept() -> None:
    client = build_connection(Role.CLIENT, max_message_octets=1000)
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError):
            feed_in_steps(client, b"\x82\x7f" + (2**40).to_bytes(8, "big"), 1)
        for _ in range(100):
            client.feed(bytes(2**16))
        _, peak_octets = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_octets < 200_000


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("code", "reason", "seen"), [(1000, "bye", 1000), (4321, "grüße", 4321), (1005, "", 1005)]
)
def test_the_closing_handshake(step: int, code: int, reason: str, seen: int) -> None:
    pair = ConnectionPair(step=step)
    pair.client.send_close(code, reason)
    assert pair.client.state is State.CLOSE_SENT
    pair.exchange()
    assert pair.server_events == [CloseReceived(seen, reason)]
    assert pair.client_events == [CloseReceived(seen, "")]
    assert pair.client.state is pair.server.state is State.CLOSED
    assert (pair.server.close_code, pair.server.close_reason) == (seen, reason)
    assert pair.server.closed_by_remote
    assert not pair.client.closed_by_remote


def test_both_sides_may_close_at_once() -> None:
    pair = ConnectionPair()
    pair.client.send_close(1000)
    pair.server.send_close(1001)
    pair.exchange()
    assert pair.server_events == [CloseReceived(1000, "")]
    assert pair.client_events == [CloseReceived(1001, "")]
    assert not pair.client.closed_by_remote
    assert not pair.server.closed_by_remote


def test_nothing_is_processed_after_a_close() -> None:
    client = build_connection(Role.CLIENT)
    client.feed(frame(Opcode.CLOSE, b"\x03\xe8") + frame(Opcode.PING) + b"\xff")
    assert take_events(client) == [CloseReceived(1000, "")]
    client.feed(b"\xff")
    client.feed_eof()
    assert client.next_event() is None
    assert sent_close(client) == (1000, b"")


def test_what_is_on_its_way_still_comes_after_our_close() -> None:
    client = build_connection(Role.CLIENT)
    client.send_close()
    client.take_output()
    client.feed(frame(Opcode.TEXT, b"late") + frame(Opcode.PING) + frame(Opcode.CLOSE))
    assert take_events(client) == [Message("late"), Ping(b""), CloseReceived(1005, "")]
    assert client.take_output() == b""


@pytest.mark.parametrize("closes_first", [False, True])
def test_octets_that_end_without_a_close(closes_first: bool) -> None:
    client = build_connection(Role.CLIENT)
    if closes_first:
        client.send_close()
    client.feed(frame(Opcode.TEXT, b"last") + b"\x81")
    client.feed_eof()
    assert take_events(client) == [Message("last"), Disconnected()]
    assert client.state is State.CLOSED
    assert (client.close_code, client.close_reason) == (1006, "")
    assert client.closed_by_remote is not closes_first


def test_the_end_inside_a_payload() -> None:
    client = build_connection(Role.CLIENT)
    client.feed(b"\x82\x05abc")
    client.feed_eof()
    assert take_events(client) == [Disconnected()]


def test_nothing_is_sent_after_a_close() -> None:
    connection = build_connection(Role.SERVER)
    connection.send_close()
    for send in (connection.send_message, connection.send_ping, connection.send_pong):
        with pytest.raises(LocalProtocolError, match="CLOSE_SENT"):
            send(b"late")
    with pytest.raises(LocalProtocolError, match="SEND_CLOSE in state CLOSE_SENT"):
        connection.send_close()
    assert connection.take_output() == frame(Opcode.CLOSE, b"\x03\xe8")


def test_a_close_that_cannot_be_sent_changes_nothing() -> None:
    connection = build_connection(Role.SERVER)
    with pytest.raises(LocalProtocolError):
        connection.send_close(1006)
    assert connection.state is State.OPEN


@pytest.mark.parametrize("closes_first", [False, True])
def test_failing_tells_the_peer_once(closes_first: bool) -> None:
    connection = build_connection(Role.SERVER)
    if closes_first:
        connection.send_close(1001)
        connection.take_output()
    error = RemoteProtocolError("r" * 200, close_code=1008)
    connection.fail(error)
    connection.fail(RemoteProtocolError("again"))
    assert connection.state is State.CLOSED
    assert connection.close_code == 1008
    close = frame(Opcode.CLOSE, (1008).to_bytes(2, "big") + b"r" * 123)
    assert connection.take_output() == (b"" if closes_first else close)


def test_fragments_of_one_message_are_of_one_kind() -> None:
    connection = build_connection(Role.SERVER)
    connection.send_fragment("text", is_final=False)
    with pytest.raises(LocalProtocolError, match="one message"):
        connection.send_fragment(b"binary", is_final=True)
    with pytest.raises(LocalProtocolError, match="is being sent"):
        connection.send_message("another")
    connection.send_fragment("", is_final=True)
    connection.send_message(b"binary")


def test_what_cannot_be_a_frame_is_refused() -> None:
    connection = build_connection(Role.SERVER)
    with pytest.raises(LocalProtocolError, match="125"):
        connection.send_ping(bytes(126))
    with pytest.raises(LocalProtocolError, match="UTF-8"):
        connection.send_message("\udfff")
    assert connection.take_output() == b""


def test_the_frame_log_shows_both_ways() -> None:
    log: list[FrameInfo] = []
    client = build_connection(Role.CLIENT, deflate=DEFLATE, frame_log=log)
    client.send_message("x" * 100)
    client.feed(frame(Opcode.BINARY, b"ab", is_final=False) + frame(Opcode.PING, b"p"))
    take_events(client)
    sent, received = Direction.SENT, Direction.RECEIVED
    assert log[0] == FrameInfo(sent, Opcode.TEXT, log[0].length, True, True, True)
    assert log[0].length < 100
    assert log[1:] == [
        FrameInfo(received, Opcode.BINARY, 2, False, False, False),
        FrameInfo(received, Opcode.PING, 1, True, False, False),
        FrameInfo(sent, Opcode.PONG, 1, True, False, True),
    ]


def test_a_server_sees_masked_frames_in_its_log() -> None:
    log: list[FrameInfo] = []
    server = build_connection(Role.SERVER, frame_log=log)
    server.feed(build_frame(Opcode.PONG, b"", mask_key=b"1234"))
    take_events(server)
    server.send_ping()
    assert [info.is_masked for info in log] == [True, False]


@settings(deadline=None)
@given(st.binary(max_size=40), st.integers(1, 40), st.booleans())
def test_how_octets_are_split_changes_nothing(octets: bytes, step: int, deflates: bool) -> None:
    """The same events and the same end, whole and in steps; no other error than the peer's."""

    def outcome(step: int) -> tuple[list[Event], State, int | None]:
        client = build_connection(
            Role.CLIENT, max_message_octets=30, deflate=DEFLATE if deflates else None
        )
        events: list[Event] = []
        try:
            for at in range(0, len(octets), step):
                client.feed(octets[at : at + step])
                while (event := client.next_event()) is not None:
                    events.append(event)
        except RemoteProtocolError:
            pass
        return events, client.state, client.close_code

    assert outcome(step) == outcome(100)


# The short way for whole messages


def test_whole_messages_go_the_short_way_and_the_rest_the_other() -> None:
    client = build_connection(Role.CLIENT)
    client.feed(
        frame(Opcode.TEXT, b"one")
        + frame(Opcode.BINARY, b"two")
        + frame(Opcode.TEXT, b"th", is_final=False)
        + frame(Opcode.PING)
        + frame(Opcode.CONTINUATION, b"ree")
        + frame(Opcode.TEXT, b"four")
        + frame(Opcode.BINARY, b"five")[:3]
    )
    assert [client.next_message() for _ in range(3)] == ["one", b"two", None]
    assert client.next_event() == Ping(b"")
    assert client.next_message() is None  # a fragmented one is under way
    assert client.next_event() == Message("three")
    assert client.next_message() == "four"
    assert client.next_message() is None
    assert client.next_event() is None
    client.feed(b"ive")
    assert client.next_message() is None  # the frame has begun
    assert client.next_event() == Message(b"five")
    assert client.next_message() is None
    client.fail(RemoteProtocolError("enough"))
    client.feed(frame(Opcode.TEXT, b"late"))
    assert client.next_message() is None


def test_frames_that_are_shown_do_not_go_the_short_way() -> None:
    frames: list[FrameInfo] = []
    client = build_connection(Role.CLIENT, frame_log=frames)
    client.feed(frame(Opcode.TEXT, b"one"))
    assert client.next_message() is None
    assert client.next_event() == Message("one")
    assert len(frames) == 1


def test_many_fragments_are_told_before_their_message() -> None:
    client = build_connection(Role.CLIENT)
    client.feed(frame(Opcode.TEXT, b"a", is_final=False))
    client.feed(frame(Opcode.CONTINUATION, is_final=False) * FRAGMENTS_A_CALL)
    client.feed(frame(Opcode.CONTINUATION, b"b"))
    assert client.next_event() == Fragments()
    assert client.unread_octets == 3 + 2
    assert client.next_event() == Message("ab")


def test_masks_are_drawn_many_at_a_time_and_never_twice() -> None:
    client = build_connection(Role.CLIENT)
    for _ in range(100):
        client.send_message(b"")
    octets = client.take_output()
    assert len({octets[at + 2 : at + 6] for at in range(0, 600, 6)}) == 100
