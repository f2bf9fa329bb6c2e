from __future__ import annotations

import asyncio

from kit import virtual_time
from kit.page import open_page
from upwire.demo.messages import encode, violation
from upwire.demo.session import Outbox, converse
from upwire.net.websocket import WebSocket


def test_a_page_gets_its_handshake_first_and_the_outbox_in_order() -> None:
    outbox = Outbox()

    async def serve(ws: WebSocket) -> None:
        outbox.put(encode("one"))
        outbox.put(encode("two"))
        await converse(ws, outbox, lambda data: outbox.put(str(data)))

    async def main() -> None:
        async with open_page(serve) as page:
            kinds = [str(await page.ws.recv())[:12] for _ in range(3)]
            await page.send("echo")
            await page.next("echo")

        assert kinds == ['{"type":"han', '{"type":"one', '{"type":"two']

    virtual_time.run(main())


def test_a_page_that_breaks_a_rule_is_told() -> None:
    def refuse(data: str | bytes) -> None:
        raise violation("no such thing")

    async def main() -> None:
        async with open_page(lambda ws: converse(ws, Outbox(), refuse)) as page:
            await page.send("odd")
            await page.ws.wait_closed()

        assert (page.ws.close_code, page.ws.close_reason) == (1008, "no such thing")

    virtual_time.run(main())


def test_a_page_that_vanishes_ends_its_session() -> None:
    async def main() -> None:
        async with open_page(lambda ws: converse(ws, Outbox(), lambda data: None)) as page:
            await page.next("handshake")
            page.ws.abort()
            await page.serving

    virtual_time.run(main())


def test_a_page_that_reads_too_slowly_is_let_go() -> None:
    outbox = Outbox(messages_max=2)

    async def main() -> None:
        async with open_page(lambda ws: converse(ws, outbox, lambda data: None)) as page:
            await page.next("handshake")
            for _ in range(3):
                outbox.put(encode("news"))
            await page.ws.wait_closed()

        assert (page.ws.close_code, page.ws.close_reason) == (1013, "you read too slowly")

    virtual_time.run(main())


def test_what_a_sender_sends_passes_the_outbox_by() -> None:
    async def send(ws: WebSocket) -> None:
        await ws.send(b"picture")
        await asyncio.Event().wait()

    async def main() -> None:
        serve = lambda ws: converse(ws, Outbox(), lambda data: None, send)  # noqa: E731
        async with open_page(serve) as page:
            assert await page.next_picture() == b"picture"

    virtual_time.run(main())
