"""What a handler is given of an HTTP request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from upwire.errors import RemoteProtocolError
from upwire.net.http1 import HttpExchange
from upwire.net.stream import Address
from upwire.wire.fields import Headers
from upwire.wire.http1 import RequestHead


class Request:
    """One HTTP request: its head at once, its content when asked for.

    path_params: what the braces of the route stood for, percent-decoded.
    context: the application's own notes on the request. What a process_request hook puts
        here, such as the user that it found, a WebSocket's handler reads at ws.context.
    """

    # Any: the values of context and of JSON are the application's.
    def __init__(self, exchange: HttpExchange, *, max_body_octets: int) -> None:
        self.head: RequestHead = exchange.head
        self.path_params: Mapping[str, str] = {}
        self.context: dict[str, Any] = {}
        self._exchange = exchange
        self._max_body_octets = max_body_octets
        self._body: bytes | None = None

    @property
    def method(self) -> str:
        return self.head.method

    @property
    def path(self) -> str:
        """The path as it came, percent-encoded."""
        return self.head.path

    @property
    def headers(self) -> Headers:
        return self.head.headers

    @property
    def remote_address(self) -> Address:
        """The address of whoever connected to us: behind a proxy, the proxy's."""
        return self._exchange.stream.peer_address

    @property
    def query(self) -> dict[str, str]:
        """The query's parameters, percent-decoded; of one given twice, the first."""
        pairs = parse_qs(self.head.query, keep_blank_values=True)
        return {name: values[0] for name, values in pairs.items()}

    async def body(self) -> bytes:
        """Return the whole content.

        Raises RemoteProtocolError (413) past the server's max_body_octets.
        """
        if self._body is None:
            self._body = await self._exchange.read_body(self._max_body_octets)
        return self._body

    async def text(self) -> str:
        """Return the content as text. Raises RemoteProtocolError (400) if it is not UTF-8."""
        try:
            return (await self.body()).decode()
        except UnicodeDecodeError:
            raise RemoteProtocolError("content is not UTF-8", "RFC 9110 §15.5.1") from None

    async def json(self) -> Any:
        """Return the value of a JSON content. Raises RemoteProtocolError (400) if it is none."""
        try:
            return json.loads(await self.text())
        except ValueError:
            raise RemoteProtocolError("content is not JSON", "RFC 9110 §15.5.1") from None
