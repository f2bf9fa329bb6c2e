from __future__ import annotations

from kit import virtual_time
from kit.tab import open_tab
from upwire.demo.handshake import describe_handshake
from upwire.net.websocket import WebSocket


def test_the_handshake_is_told_as_it_was() -> None:
    told: list[dict[str, object]] = []

    async def tell(ws: WebSocket) -> None:
        told.append(describe_handshake(ws))

    async def main() -> None:
        async with open_tab(tell, target="/ws/chat?name=Ada", is_connected=False) as tab:
            await tab.ws.wait_closed()

    virtual_time.run(main())
    ((peer, request, response),) = (shown.values() for shown in told)
    assert peer == "192.0.2.1:1001"
    assert isinstance(request, dict)
    assert request["start"] == "GET /ws/chat?name=Ada HTTP/1.1"
    assert ("Host", "demo.example") in request["fields"]
    assert isinstance(response, dict)
    assert response["start"] == "HTTP/1.1 101 Switching Protocols"
    assert "Sec-WebSocket-Accept" in [name for name, _ in response["fields"]]
