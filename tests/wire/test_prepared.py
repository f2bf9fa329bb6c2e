"""One frame for many connections: its octets, and compression that no window spoils."""

from __future__ import annotations

import secrets

import pytest

from upwire.errors import LocalProtocolError
from upwire.wire.deflate import DeflateParameters, PerMessageDeflate
from upwire.wire.prepared import PreparedMessage
from upwire.wire.websocket import Connection, FrameInfo, Message, Role

LINE = "the same words again and again, the same words again and again, and again"


def open_sides(parameters: DeflateParameters | None) -> tuple[Connection, Connection]:
    """Make a server's connection and its client's."""

    def codec(*, is_client: bool) -> PerMessageDeflate | None:
        return None if parameters is None else PerMessageDeflate(parameters, is_client=is_client)

    server = Connection(
        Role.SERVER, random_octets=secrets.token_bytes, deflate=codec(is_client=False)
    )
    client = Connection(
        Role.CLIENT, random_octets=secrets.token_bytes, deflate=codec(is_client=True)
    )
    return server, client


def read(client: Connection, octets: bytes) -> str | bytes:
    client.feed(octets)
    event = client.next_event()
    assert isinstance(event, Message)
    return event.data


def test_a_frame_is_a_servers_text() -> None:
    assert PreparedMessage("a\u00e9").frame == b"\x81\x03a\xc3\xa9"


def test_a_frame_is_a_servers_binary() -> None:
    assert PreparedMessage(b"\x00" * 126).frame == b"\x82\x7e\x00\x7e" + b"\x00" * 126


def test_text_that_is_no_text_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        PreparedMessage("\ud800")


def test_connections_share_the_octets() -> None:
    message = PreparedMessage("hello")
    outputs = []
    for _ in range(2):
        server, _client = open_sides(None)
        server.send_prepared(message)
        assert server.output_octets == 7
        outputs.append(server.take_output())
    assert outputs[0] is outputs[1] is message.frame


def test_a_short_message_is_not_compressed() -> None:
    server, client = open_sides(DeflateParameters(min_octets=6))
    server.send_prepared(PreparedMessage("hello"))
    assert read(client, server.take_output()) == "hello"
    server.send_prepared(PreparedMessage("hello"))
    assert server.take_output() == b"\x81\x05hello"


def test_connections_share_what_is_compressed() -> None:
    message = PreparedMessage(LINE)
    parameters = DeflateParameters()
    servers = [open_sides(parameters)[0] for _ in range(2)]
    for server in servers:
        server.send_prepared(message)
    first, second = (server.take_output() for server in servers)
    assert first is second
    assert first[0] == 0xC1
    assert len(first) < len(LINE)


def test_each_way_to_compress_has_its_frame() -> None:
    text = "".join(str(i) for i in range(1000)) * 2  # repeats beyond the narrow windows only
    message = PreparedMessage(text)
    frames = set()
    for bits in (8, 9, 15):
        parameters = DeflateParameters(server_max_window_bits=bits)
        server, client = open_sides(parameters)
        server.send_prepared(message)
        octets = server.take_output()
        assert read(client, octets) == text
        frames.add(octets)
    assert len(frames) == 3


@pytest.mark.parametrize("resets", [False, True])
def test_own_messages_and_shared_ones_mix(resets: bool) -> None:
    """What is sent to many moves the receiver's window, and the sender refers past it never."""
    parameters = DeflateParameters(server_no_context_takeover=resets)
    server, client = open_sides(parameters)
    for i in range(6):
        text = f"{LINE} {i}"
        if i % 3 == 2:
            server.send_prepared(PreparedMessage(text))
        else:
            server.send_message(text)
        assert read(client, server.take_output()) == text


def test_a_client_masks_by_itself() -> None:
    server, client = open_sides(None)
    client.send_prepared(PreparedMessage("hello"))
    octets = client.take_output()
    assert octets[1] & 0x80
    assert read(server, octets) == "hello"


def test_an_observed_connection_shows_the_frame() -> None:
    frames: list[FrameInfo] = []
    server = Connection(Role.SERVER, random_octets=secrets.token_bytes, frame_log=frames)
    server.send_prepared(PreparedMessage("hello"))
    assert [frame.length for frame in frames] == [5]


def test_nothing_goes_between_fragments() -> None:
    server, _ = open_sides(None)
    server.send_fragment("a", is_final=False)
    with pytest.raises(LocalProtocolError, match="fragmented"):
        server.send_prepared(PreparedMessage("hello"))


def test_nothing_goes_behind_a_close() -> None:
    server, _ = open_sides(None)
    server.send_close()
    with pytest.raises(LocalProtocolError, match="CLOSE_SENT"):
        server.send_prepared(PreparedMessage("hello"))
