"""The load of fan-outs, against a room of ours and servers that get it wrong."""

from __future__ import annotations

import pytest
from bench.fan_out import FanOut

import upwire
from bench import fan_out
from kit.echo_server import echo_server
from upwire.errors import RemoteProtocolError
from upwire.rooms import RoomLimits, Rooms
from upwire.server import WebSocketHandler


def room() -> WebSocketHandler:
    rooms = Rooms(limits=RoomLimits(message_octets=2**20))

    async def take_part(ws: upwire.WebSocket) -> None:
        async with rooms.join("lobby", ws) as place:
            async for message in ws:
                await place.publish(message)

    return take_part


@pytest.mark.parametrize("payload_octets", [128, 300_000])
def test_each_message_comes_to_all_members(payload_octets: int) -> None:
    with echo_server(handler=room(), deflate=False) as port:
        load = FanOut(port, 5, payload_octets)
        load.run(0)
        load.restart()
        load.run(0)
        load.run(0)
        assert load.messages == 10
        assert load.latency.count == 2
        load.close()


def test_a_member_that_gets_another_message_is_seen() -> None:
    async def lie(ws: upwire.WebSocket) -> None:
        async for _ in ws:
            await ws.send("another")

    with echo_server(handler=lie) as port:
        load = FanOut(port, 1, 128)
        with pytest.raises(RemoteProtocolError, match="another message"):
            load.run(0)
        load.close()


def test_a_member_that_gets_nothing_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fan_out, "PATIENCE_S", 0.05)
    with echo_server() as port:  # only the publisher hears of it
        load = FanOut(port, 3, 128)
        with pytest.raises(RemoteProtocolError, match="2 members did not get a message"):
            load.run(0)
        load.close()
