"""A WebSocket that comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import upwire
from kit.certificates import make_certificates
from upwire.client import Backoff, may_pass
from upwire.client.reconnecting import _retry_after_s
from upwire.errors import ConnectError, HandshakeRefused, LocalProtocolError
from upwire.net.tls import server_context
from upwire.net.websocket import WebSocket
from upwire.server import Request, Response

DEADLINE_S = 20.0
SOON_S = 1e-6


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main()

    asyncio.run(bounded())


def refusal(status: int, *headers: tuple[str, str]) -> HandshakeRefused:
    return HandshakeRefused("refused", status=status, reason="", headers=headers)


def test_the_ceiling_of_the_jitter_doubles_up_to_the_cap() -> None:
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return high / 2

    backoff = Backoff(1.0, 6.0, draw)
    assert [backoff.next_s() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert drawn == [(0, 1), (0, 2), (0, 4), (0, 6), (0, 6)]
    backoff.reset()
    assert backoff.next_s() == 0.5
    assert backoff.next_s(4.0) == 5.0
    assert backoff.next_s(100.0) == 8.0


def test_by_default_the_jitter_is_random() -> None:
    backoff = Backoff(1.0, 1.0)
    delays = {backoff.next_s() for _ in range(50)}
    assert len(delays) > 10
    assert all(0 <= delay <= 1 for delay in delays)


@pytest.mark.parametrize(("first_s", "cap_s"), [(0, 1), (-1, 1), (2, 1)])
def test_delays_make_a_range(first_s: float, cap_s: float) -> None:
    with pytest.raises(LocalProtocolError, match="no range"):
        Backoff(first_s, cap_s)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        *((status, False) for status in (200, 301, 400, 401, 403, 404, 426)),
        *((status, True) for status in (408, 425, 429, 500, 502, 503, 504)),
    ],
)
def test_which_refusals_may_pass(status: int, expected: bool) -> None:
    assert may_pass(refusal(status)) is expected


@pytest.mark.parametrize(
    ("value", "expected"), [("7", 7.0), ("Thu, 01 Jan 2026 00:00:00 GMT", 0.0), ("-1", 0.0)]
)
def test_retry_after_is_read_in_seconds(value: str, expected: float) -> None:
    assert _retry_after_s(refusal(503, ("X", "1"), ("retry-after", value))) == expected
    assert _retry_after_s(refusal(503)) == 0.0


def test_it_comes_back_after_every_end() -> None:
    async def main() -> None:
        ends = iter([1000, 1012, 4000])

        async def end(ws: WebSocket) -> None:
            await ws.close(next(ends))

        codes = []
        async with upwire.serve(end, port=0) as server:
            async for ws in upwire.reconnecting(
                f"ws://127.0.0.1:{server.port}", first_delay_s=SOON_S, delay_cap_s=SOON_S
            ):
                await ws.wait_closed()
                codes.append(ws.close_code)
                if len(codes) == 3:
                    break
        assert codes == [1000, 1012, 4000]

    run(main)


def test_leaving_the_loop_closes_normally() -> None:
    async def main() -> None:
        codes: asyncio.Queue[int | None] = asyncio.Queue()

        async def listen(ws: WebSocket) -> None:
            async for _ in ws:
                pass
            codes.put_nowait(ws.close_code)

        async with upwire.serve(listen, port=0) as server:
            async for ws in upwire.reconnecting(f"ws://127.0.0.1:{server.port}"):
                await ws.send("once")
                break
            assert await codes.get() == 1000

    run(main)


def test_it_waits_for_a_server_and_out_of_passing_refusals(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "upwire.client")

    async def main() -> None:
        server = await upwire.serve(wait, port=0)
        port = server.port
        await server.close()
        answers = iter([Response(503), Response(429, headers={"Retry-After": "0"}), None])

        async def answer(request: Request) -> Response | None:
            return next(answers)

        async def start() -> None:
            nonlocal server
            while "connecting to" not in caplog.text:  # noqa: ASYNC110  # a line of the log
                await asyncio.sleep(0)
            server = await upwire.serve(wait, port=port, process_request=answer)

        starting = asyncio.create_task(start())
        async for ws in upwire.reconnecting(
            f"ws://127.0.0.1:{port}", first_delay_s=SOON_S, delay_cap_s=SOON_S
        ):
            await ws.close()
            break
        await starting
        await server.close()

    run(main)
    assert "503" in caplog.text
    assert "429" in caplog.text


async def wait(ws: WebSocket) -> None:
    await ws.wait_closed()


def test_it_stops_at_what_cannot_mend_itself(tmp_path: Path) -> None:
    async def refuse(request: Request) -> Response | None:
        return Response(401)

    async def main() -> None:
        async with upwire.serve(wait, port=0, process_request=refuse) as server:
            url = f"ws://127.0.0.1:{server.port}"
            with pytest.raises(HandshakeRefused):
                await anext(upwire.reconnecting(url))
            tries = []

            def thrice(refusal: HandshakeRefused) -> bool:
                tries.append(refusal.status)
                return len(tries) < 3

            with pytest.raises(HandshakeRefused):
                await anext(
                    upwire.reconnecting(
                        url, retry_refusal=thrice, first_delay_s=SOON_S, delay_cap_s=SOON_S
                    )
                )
            assert tries == [401, 401, 401]
        made = make_certificates(tmp_path)
        context = server_context(made.certificate_file, made.key_file)
        async with upwire.serve(wait, port=0, ssl=context) as server:
            with pytest.raises(ConnectError, match="certificate verify failed"):
                await anext(upwire.reconnecting(f"wss://localhost:{server.port}"))
        with pytest.raises(LocalProtocolError):
            await anext(upwire.reconnecting("http://example.org"))

    run(main)


def test_a_connection_that_was_stable_resets_the_delays(monkeypatch: pytest.MonkeyPatch) -> None:
    resets: list[Backoff] = []
    monkeypatch.setattr(Backoff, "reset", lambda backoff: resets.append(backoff))

    async def main() -> None:
        async with upwire.serve(wait, port=0) as server:
            url = f"ws://127.0.0.1:{server.port}"
            count = 0
            async for ws in upwire.reconnecting(
                url, stable_after_s=0, first_delay_s=SOON_S, delay_cap_s=SOON_S
            ):
                await ws.close()
                count += 1
                if count == 3:
                    break

    run(main)
    assert len(resets) == 2
