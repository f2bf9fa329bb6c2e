"""connect() against servers that answer as they are told to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

import upwire
from kit.certificates import make_certificates
from upwire.client.connecting import REDIRECTS_MAX, REFUSAL_BODY_OCTETS
from upwire.errors import (
    ConnectError,
    ConnectionClosed,
    HandshakeRefused,
    LocalProtocolError,
    RemoteProtocolError,
    StreamError,
)
from upwire.net.tls import client_context, server_context
from upwire.net.websocket import WebSocket
from upwire.wire.handshake import compute_accept
from upwire.wire.websocket import FrameInfo

DEADLINE_S = 20.0


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(DEADLINE_S):
            await main()

    asyncio.run(bounded())


class Scripted:
    """A server that answers each request with the next of some texts, and notes the requests.

    ACCEPT in a text becomes the right Sec-WebSocket-Accept. None: no answer.
    """

    def __init__(self, *answers: str | None, ends: bool = True) -> None:
        self.requests: list[str] = []
        self.base = ""
        self._answers = list(answers)
        self._ends = ends
        self._clients: set[asyncio.StreamWriter] = set()

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        self.base = f"{host}:{port}"
        try:
            yield f"ws://{self.base}/chat"
        finally:
            server.close()
            for writer in self._clients:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients.add(writer)
        request = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests.append(request)
        answer = self._answers.pop(0)
        if answer is None:
            return
        key = re.findall(r"Sec-WebSocket-Key: (.*)\r\n", request)[0]
        text = answer.replace("ACCEPT", compute_accept(key)).replace("BASE", self.base)
        writer.write(text.encode())
        if self._ends:
            writer.close()


def answer(status: str, *fields: str, body: str = "") -> str:
    return "\r\n".join([f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", body])


TLS_MEND = "see whether the port speaks HTTP, or wants wss://"

SWITCH = "\r\n".join(
    [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Accept: ACCEPT",
        "",
        "",
    ]
)


async def echo(ws: WebSocket) -> None:
    async for message in ws:
        await ws.send(message)


async def refused(url: str, **options: bool) -> HandshakeRefused:
    with pytest.raises(HandshakeRefused) as raised:
        await upwire.connect(url, **options)  # type: ignore[arg-type]  # only follow_redirects
    return raised.value


# What is sent, and what comes back


def test_the_request_is_what_the_options_say() -> None:
    async def main() -> None:
        server = Scripted(SWITCH + "\x01\x01h")
        async with server.listening() as url:
            with pytest.raises(ConnectionClosed):
                await (
                    await upwire.connect(
                        url.replace("//", "//ada:x@") + "?a=b",
                        headers={"X-One": "1"},
                        origin="https://example.org",
                        subprotocols=["v2", "v1"],
                        deflate=None,
                    )
                ).recv()
        lines = server.requests[0].split("\r\n")
        assert lines[0] == "GET /chat?a=b HTTP/1.1"
        for line in (
            f"Host: {server.base}",
            "X-One: 1",
            "Origin: https://example.org",
            "Sec-WebSocket-Protocol: v2, v1",
            "Authorization: Basic YWRhOng=",
        ):
            assert line in lines
        (key,) = re.findall(r"Sec-WebSocket-Key: (.*)\r\n", server.requests[0])
        assert len(base64.b64decode(key)) == 16
        assert "Extensions" not in server.requests[0]

    run(main)


def test_keys_are_fresh_and_given_credentials_win() -> None:
    async def main() -> None:
        server = Scripted(answer("500 x"), answer("500 x"))
        async with server.listening() as url:
            for _ in range(2):
                with pytest.raises(HandshakeRefused):
                    await upwire.connect(
                        url.replace("//", "//ada:x@"), headers=[("authorization", "Bearer y")]
                    )
        first, second = (re.findall(r"Key: (.*)\r\n", text) for text in server.requests)
        assert first != second
        assert "authorization: Bearer y" in server.requests[0]
        assert "Basic" not in server.requests[0]

    run(main)


def test_messages_right_behind_the_answer_arrive() -> None:
    async def main() -> None:
        server = Scripted(SWITCH + "\x01\x01h\x00\x01i")
        async with server.listening() as url:
            await upwire.connect(url)

        server = Scripted(SWITCH + "\x01\x01h")
        async with server.listening() as url:
            ws = await upwire.connect(url)
            with pytest.raises(ConnectionClosed) as raised:
                await ws.recv()
            assert raised.value.code == 1006

    run(main)


def test_it_talks_to_our_server_and_shows_frames() -> None:
    async def main() -> None:
        frames: list[FrameInfo] = []
        async with (
            upwire.serve(echo, port=0) as server,
            upwire.connect(f"ws://127.0.0.1:{server.port}", observe=frames.append) as ws,
        ):
            await ws.send("hello")
            assert await ws.recv() == "hello"
            assert await ws.ping() >= 0
        assert len(frames) == 6

    run(main)


def test_leaving_the_block_with_an_error_closes_with_1011() -> None:
    async def main() -> None:
        async with upwire.serve(echo, port=0) as server:
            connecting = upwire.connect(f"ws://127.0.0.1:{server.port}")
            with pytest.raises(ZeroDivisionError):
                async with connecting as ws:
                    raise ZeroDivisionError
            assert ws.close_code == 1011

    run(main)


def test_unix_sockets_by_option_and_by_url(tmp_path: Path) -> None:
    async def main() -> None:
        path = str(tmp_path / "app.sock")
        async with upwire.serve(echo, unix=path):
            async with upwire.connect("ws://some.host/x", unix=path) as ws:
                assert ws.request.headers["Host"] == "some.host"
                assert ws.request.target == "/x"
            async with upwire.connect(f"ws+unix://{path}:/y?z") as ws:
                assert ws.request.target == "/y?z"
        with pytest.raises(ConnectError, match=r"app\.sock"):
            await upwire.connect("ws://some.host/x", unix=path)

    run(main)


def test_tls_is_verified(tmp_path: Path) -> None:
    async def main() -> None:
        made = make_certificates(tmp_path)
        context = server_context(made.certificate_file, made.key_file)
        async with upwire.serve(echo, port=0, ssl=context) as server:
            url = f"wss://localhost:{server.port}"
            trusting = client_context(ca_file=made.authority_file)
            async with upwire.connect(url, ssl=trusting) as ws:
                await ws.send("secret")
                assert await ws.recv() == "secret"
            assert ws.close_code == 1000
            with pytest.raises(
                ConnectError, match=r"verify failed: .*; give .* ssl= .* -k"
            ) as raised:
                await upwire.connect(url)
            assert raised.value.phase == "TLS handshake"
            assert isinstance(raised.value.__cause__, ssl.SSLCertVerificationError)
            with pytest.raises(
                StreamError, match=r"^connection .* \(does the port want wss://\?\)"
            ):
                await upwire.connect(url.replace("wss", "ws"))

    run(main)


def test_tls_to_a_port_without_it() -> None:
    async def main() -> None:
        async with upwire.serve(echo, port=0) as server:
            with pytest.raises(ConnectError, match=r"; the port speaks no TLS: use ws://$"):
                await upwire.connect(f"wss://127.0.0.1:{server.port}")

    run(main)


def test_an_end_over_tls_is_not_taken_for_the_wrong_scheme(tmp_path: Path) -> None:
    async def main() -> None:
        made = make_certificates(tmp_path)
        context = server_context(made.certificate_file, made.key_file)

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answers.pop())
            writer.close()

        answers = [b"", b"SSH-2.0\r\n\r\n"]
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        url = f"wss://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        trusting = client_context(ca_file=made.authority_file)
        with pytest.raises(RemoteProtocolError) as wrong:
            await upwire.connect(url, ssl=trusting)
        assert wrong.value.mend == ""
        with pytest.raises(StreamError) as ended:
            await upwire.connect(url, ssl=trusting)
        assert "wss" not in str(ended.value)
        server.close()

    run(main)


# Refusals


def test_a_refusal_carries_all_that_the_server_said() -> None:
    async def main() -> None:
        text = answer("426 Upgrade Required", "Upgrade: websocket", "X-A: b", body="use a socket\n")
        async with Scripted(text).listening() as url:
            refusal = await refused(url)
        assert (refusal.status, refusal.reason) == (426, "Upgrade Required")
        assert refusal.body == b"use a socket\n"
        assert ("X-A", "b") in refusal.headers
        assert "proxy_set_header Upgrade $http_upgrade" in refusal.mend
        assert "426" in str(refusal)
        assert refusal.__notes__ == [f"To mend it: {refusal.mend}"]

    run(main)


def test_the_body_of_a_refusal_is_bounded() -> None:
    async def main() -> None:
        large = "x" * (3 * REFUSAL_BODY_OCTETS)
        async with Scripted(answer("404 Not Found", body=large)).listening() as url:
            assert len((await refused(url)).body) == REFUSAL_BODY_OCTETS
        cut = "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 100\r\n\r\nbegun"
        async with Scripted(cut).listening() as url:
            refusal = await refused(url)
        assert (refusal.status, refusal.body) == (502, b"begun")

    run(main)


@pytest.mark.parametrize(
    "wrong",
    [
        SWITCH.replace("ACCEPT", "wrong"),
        SWITCH.replace("Upgrade: websocket", "Upgrade: h2c"),
        SWITCH.replace("\r\n\r\n", "\r\nSec-WebSocket-Protocol: other\r\n\r\n"),
        SWITCH.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: x-other\r\n\r\n"),
        "SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
def test_an_answer_that_is_wrong_is_refused(wrong: str) -> None:
    async def main() -> None:
        async with Scripted(wrong).listening() as url:
            with pytest.raises(RemoteProtocolError) as raised:
                await upwire.connect(url)
        assert raised.value.mend == ("" if "101" in wrong else TLS_MEND)

    run(main)


def test_a_server_that_ends_or_is_silent() -> None:
    async def main() -> None:
        async with Scripted("").listening() as url:
            with pytest.raises(StreamError):
                await upwire.connect(url)
        async with Scripted(None).listening() as url:
            with pytest.raises(StreamError, match=r"no answer within 0\.05 s") as raised:
                await upwire.connect(url, open_timeout_s=0.05)
            assert raised.value.is_timeout
            assert url in str(raised.value)

    run(main)


def test_cancelling_leaves_nothing_open() -> None:
    async def main() -> None:
        server = Scripted(None)
        async with server.listening() as url:
            connecting = upwire.connect(url)
            task = asyncio.create_task(connecting._open())
            while not server.requests:  # noqa: ASYNC110  # a server of asyncio's, no event
                await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await connecting.__aexit__(None, None, None)

    run(main)


def test_nobody_there_and_wrong_urls() -> None:
    async def main() -> None:
        async with upwire.serve(echo, port=0) as server:
            url = f"ws://127.0.0.1:{server.port}"
            with pytest.raises(LocalProtocolError, match="handshake's own"):
                await upwire.connect(url, headers={"Upgrade": "x"})
        with pytest.raises(ConnectError, match=url.removeprefix("ws://")):
            await upwire.connect(url)
        with pytest.raises(LocalProtocolError):
            upwire.connect("http://127.0.0.1/")

    run(main)


# Redirects


def redirect_to(location: str) -> str:
    return answer("301 Moved Permanently", f"Location: {location}")


def test_redirects_are_refused_unless_allowed() -> None:
    async def main() -> None:
        async with Scripted(redirect_to("http://BASE/chat/")).listening() as url:
            refusal = await refused(url)
            assert refusal.status == 301
            assert f"connect to {url}/" in refusal.mend
            assert "location = /chat" in refusal.mend
        async with Scripted(redirect_to("https://example.org/chat")).listening() as url:
            assert "connect to wss://example.org/chat" in (await refused(url)).mend
        async with Scripted(answer("418 I'm a teapot")).listening() as url:
            assert not hasattr(await refused(url), "__notes__")
        async with Scripted(answer("302 Found")).listening() as url:
            assert (await refused(url)).status == 302

    run(main)


def test_redirects_are_followed_where_allowed() -> None:
    async def main() -> None:
        server = Scripted(redirect_to("/next"), redirect_to("http://BASE/last"), SWITCH)
        async with server.listening() as url:
            await upwire.connect(url, follow_redirects=True, headers={"Authorization": "x"})
        assert [text.split(" ")[1] for text in server.requests] == ["/chat", "/next", "/last"]
        assert all("Authorization: x" in text for text in server.requests)

    run(main)


def test_credentials_do_not_follow_to_another_origin() -> None:
    async def main() -> None:
        other = Scripted(SWITCH)
        async with other.listening() as other_url:
            server = Scripted(redirect_to(other_url))
            async with server.listening() as url:
                await upwire.connect(
                    url.replace("//", "//ada:x@"),
                    follow_redirects=True,
                    headers={"Cookie": "secret", "Host": "inner", "X-Kept": "1"},
                )
        assert "Authorization" in server.requests[0]
        assert "Cookie" in server.requests[0]
        for absent in ("Authorization", "Cookie", "inner"):
            assert absent not in other.requests[0]
        assert "X-Kept: 1" in other.requests[0]

    run(main)


def test_redirects_end() -> None:
    async def main() -> None:
        server = Scripted(*[redirect_to("/again")] * (REDIRECTS_MAX + 1))
        async with server.listening() as url:
            refusal = await refused(url, follow_redirects=True)
        assert "more than 5 redirects" in refusal.mend
        assert len(server.requests) == REDIRECTS_MAX + 1
        async with Scripted(redirect_to("ftp://x/")).listening() as url:
            assert "none of a WebSocket" in (await refused(url, follow_redirects=True)).mend

    run(main)
