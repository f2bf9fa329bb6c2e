"""`connect()`: from a URL to an open WebSocket."""

from __future__ import annotations

import asyncio
import functools
import secrets
from collections.abc import Generator
from dataclasses import replace
from ssl import SSLCertVerificationError, SSLContext, SSLError
from types import TracebackType
from typing import Any, Unpack

from upwire.client.options import ClientKeywords, ClientOptions
from upwire.client.url import WebSocketUrl, parse_url, redirect
from upwire.errors import (
    ConnectError,
    HandshakeRefused,
    LocalProtocolError,
    RemoteProtocolError,
    StreamError,
)
from upwire.net.dial import dial
from upwire.net.http1 import HttpClientConnection
from upwire.net.stream import Stream
from upwire.net.tls import client_context
from upwire.net.websocket import WebSocket
from upwire.wire.fields import Headers
from upwire.wire.handshake import build_request, check_response, make_key
from upwire.wire.http1 import ResponseHead
from upwire.wire.websocket import Role

REDIRECTS_MAX = 5

REFUSAL_BODY_OCTETS = 4096
"""How much of the content of a refusal is kept, to be shown."""

REFUSAL_BODY_TIMEOUT_S = 1.0
"""How long that content is waited for: the refusal itself is known already."""

_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE")  # by the version of OpenSSL
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CREDENTIALS = ("Authorization", "Cookie", "Host")


def connect(url: str, **options: Unpack[ClientKeywords]) -> Connecting:
    """Open a WebSocket at a ws://, wss:// or ws+unix:///path/to.sock:/resource URL.

        async with upwire.connect("wss://example.org/chat") as ws:
            await ws.send("hello")

    Leaving the block closes it; `ws = await upwire.connect(url)` leaves that to the caller.
    user:password@ in the URL goes as Basic credentials. See ClientOptions for the options.

    Raises HandshakeRefused for an answer other than 101, another RemoteProtocolError for one
    that breaks a rule, ConnectError where no connection comes up, StreamError where it is lost
    or open_timeout_s passes, LocalProtocolError for a URL or option that is wrong.
    """
    return Connecting(parse_url(url), ClientOptions(**options))


class Connecting:
    """What connect() gives: to be awaited, or entered with `async with`."""

    def __init__(self, url: WebSocketUrl, options: ClientOptions) -> None:
        self._url = url if options.unix is None else replace(url, unix=options.unix)
        self._options = options
        self._websocket: WebSocket | None = None

    def __await__(self) -> Generator[Any, None, WebSocket]:  # Any: what an event loop is sent
        return self._open().__await__()

    async def __aenter__(self) -> WebSocket:
        self._websocket = await self._open()
        return self._websocket

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._websocket is not None:
            await self._websocket.__aexit__(kind, error, traceback)

    async def _open(self) -> WebSocket:
        """Open it. A refusal that nobody catches shows how to mend it under its traceback."""
        try:
            return await self._open_through_redirects()
        except HandshakeRefused as refusal:
            if refusal.mend:
                refusal.add_note(f"To mend it: {refusal.mend}")
            raise

    async def _open_through_redirects(self) -> WebSocket:
        deadline_s = asyncio.get_running_loop().time() + self._options.open_timeout_s
        url, headers, left = self._url, Headers(self._options.headers), REDIRECTS_MAX
        while True:
            try:
                return await self._open_at(url, headers, deadline_s)
            except HandshakeRefused as refusal:
                if refusal.status not in _REDIRECTS:
                    raise
                target = self._follow(url, refusal, left)
            if target.origin != url.origin:
                for name in _CREDENTIALS:
                    headers.remove(name)
            url, left = target, left - 1

    def _follow(self, url: WebSocketUrl, refusal: HandshakeRefused, left: int) -> WebSocketUrl:
        """Return where to go on. Raises the refusal, with what to do about it, if nowhere."""
        try:
            target = redirect(url, Headers(refusal.headers).get("Location") or "")
        except LocalProtocolError as error:
            refusal.mend = str(error)
            raise refusal from None
        if not self._options.follow_redirects:
            refusal.mend = _explain_redirect(url, target)
            raise refusal
        if left == 0:
            refusal.mend = f"more than {REDIRECTS_MAX} redirects: look whether they go in a circle"
            raise refusal
        return target

    async def _open_at(self, url: WebSocketUrl, headers: Headers, deadline_s: float) -> WebSocket:
        """Connect to one URL and make the opening handshake there."""
        stream = await self._dial(url, deadline_s)
        try:
            async with asyncio.timeout_at(deadline_s):
                return await self._shake_hands(stream, url, headers)
        except BaseException as error:
            stream.abort()
            if not isinstance(error, TimeoutError):
                raise
            raise StreamError(
                f"no answer within {self._options.open_timeout_s:g} s",
                doing=f"opening {url}",
                is_timeout=True,
            ) from None

    async def _dial(self, url: WebSocketUrl, deadline_s: float) -> Stream:
        """Connect. A ConnectError says how to mend it, where TLS has told what is wrong."""
        try:
            return await dial(
                url.host,
                url.port,
                unix=url.unix,
                tls=(self._options.ssl or _default_context()) if url.is_secure else None,
                timeout_s=max(deadline_s - asyncio.get_running_loop().time(), 0.0),
            )
        except ConnectError as error:
            mend = _mend_tls(error.__cause__)
            if not mend:
                raise
            message = f"{error}; {mend}"
            raise ConnectError(
                message, phase=error.phase, address=error.address
            ) from error.__cause__

    async def _shake_hands(self, stream: Stream, url: WebSocketUrl, headers: Headers) -> WebSocket:
        options, deflate = self._options, self._options.deflate_options
        key = make_key(secrets.token_bytes(16))
        fields = headers.copy()
        if url.authorization is not None and "Authorization" not in fields:
            fields.add("Authorization", url.authorization)
        request = build_request(
            url.authority,
            url.resource,
            key,
            headers=fields.items(),
            subprotocols=options.subprotocols,
            deflate=deflate,
            origin=options.origin,
        )
        http = HttpClientConnection(stream, limits=options.limits)
        await http.send_head(request)
        response = await _read_answer(http, url)
        body = b"" if response.status == 101 else await _read_some(http)
        accepted = check_response(response, key, options.subprotocols, deflate, body=body)
        return WebSocket(
            http.switch(),
            Role.CLIENT,
            request,
            response,
            accepted,
            options=options,
            observe=options.observe,
        )


@functools.cache
def _default_context() -> SSLContext:
    return client_context()


def _mend_tls(error: BaseException | None) -> str:
    """Return what helps against a failed TLS handshake, "" where that is not known."""
    if isinstance(error, SSLCertVerificationError):
        return "give connect() an ssl= context that trusts it, or upwire connect the option -k"
    if isinstance(error, SSLError) and error.reason in _NO_TLS:
        return "the port speaks no TLS: use ws://"
    return ""


async def _read_answer(http: HttpClientConnection, url: WebSocketUrl) -> ResponseHead:
    """Return the head of the answer. Without one, say that the port may speak TLS, not HTTP."""
    try:
        return await http.read_head(timeout_s=None)
    except StreamError as error:
        if url.is_secure:
            raise
        message = f"{error.message} (does the port want wss://?)"
        raise StreamError(message, doing=error.doing) from error.__cause__
    except RemoteProtocolError as error:
        if not url.is_secure:
            error.mend = error.mend or "see whether the port speaks HTTP, or wants wss://"
        raise


async def _read_some(http: HttpClientConnection) -> bytes:
    """Return the beginning of a refusal's content, or as much of it as comes."""
    body = bytearray()
    try:
        async with asyncio.timeout(REFUSAL_BODY_TIMEOUT_S):
            while len(body) < REFUSAL_BODY_OCTETS and (octets := await http.read()):
                body += octets
    except (TimeoutError, StreamError, RemoteProtocolError):
        pass  # the refusal is what counts
    return bytes(body[:REFUSAL_BODY_OCTETS])


def _explain_redirect(url: WebSocketUrl, target: WebSocketUrl) -> str:
    path = url.resource.partition("?")[0]
    if target.resource.partition("?")[0] == path + "/" and target.origin == url.origin:
        return (
            f"connect to {target}, or give nginx a `location = {path}` as well: one that ends in "
            "a slash redirects the path without it"
        )
    return f"connect to {target}, or allow redirects"
