"""What a handler answers to an HTTP request."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, Iterable, Mapping
from typing import Any

from upwire.errors import LocalProtocolError
from upwire.wire.fields import Headers

FieldLines = Iterable[tuple[str, str]] | Mapping[str, str] | Headers


class Response:
    """Status, fields and content of an answer.

    body may be an async iterable of octets, which is sent as it comes: chunked, or
    unchunked where headers give its Content-Length. Content-Length of plain octets and
    Date are added when the answer is sent. Another status than 200 to 599 raises
    LocalProtocolError: interim responses are none of a handler's.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int = 200,
        body: bytes | AsyncIterable[bytes] = b"",
        headers: FieldLines = (),
    ) -> None:
        if not 200 <= status <= 599:
            raise LocalProtocolError(f"a response has a status of 200 to 599, not {status}")
        self.status = status
        self.body = body
        self.headers = Headers(headers)

    @classmethod
    def text(cls, text: str, status: int = 200, headers: FieldLines = ()) -> Response:
        """Return an answer of plain text."""
        return cls._of_type("text/plain; charset=utf-8", text, status, headers)

    @classmethod
    def html(cls, page: str, status: int = 200, headers: FieldLines = ()) -> Response:
        """Return an answer that is a page."""
        return cls._of_type("text/html; charset=utf-8", page, status, headers)

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: FieldLines = ()) -> Response:
        """Return an answer that is the value in JSON; json.dumps says which values can be."""
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return cls._of_type("application/json", text, status, headers)

    @classmethod
    def redirect(cls, location: str, status: int = 302) -> Response:
        """Return an answer that sends the client to another URL. RFC 9110 §15.4."""
        return cls(status, headers=[("Location", location)])

    @classmethod
    def _of_type(cls, media_type: str, text: str, status: int, headers: FieldLines) -> Response:
        response = cls(status, text.encode(), headers)
        if "Content-Type" not in response.headers:
            response.headers.add("Content-Type", media_type)
        return response
