"""Options are checked once, when they are made."""

from __future__ import annotations

import dataclasses

import pytest

from upwire.errors import LocalProtocolError
from upwire.net.websocket import WebSocketKeywords, WebSocketOptions
from upwire.wire.deflate import DeflateOptions


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(WebSocketOptions)])
def test_every_limit_is_more_than_nothing(field: str) -> None:
    if field != "deflate":
        with pytest.raises(LocalProtocolError, match=f"{field} must be more than 0"):
            WebSocketOptions(**{field: 0})  # type: ignore[arg-type]  # any field


def test_a_clock_can_be_left_out() -> None:
    options = WebSocketOptions(ping_interval_s=None, ping_timeout_s=None, send_timeout_s=None)
    assert options.ping_interval_s is None


def test_compression_is_on_off_or_as_given() -> None:
    own = DeflateOptions(level=1)
    assert WebSocketOptions(deflate=own).deflate_options is own
    assert WebSocketOptions().deflate_options == DeflateOptions()
    assert WebSocketOptions(deflate=False).deflate_options is None
    assert WebSocketOptions(deflate=None).deflate_options is None


def test_the_keywords_are_the_fields() -> None:
    fields = {field.name: field.type for field in dataclasses.fields(WebSocketOptions)}
    keywords = {
        name: annotation.__forward_arg__
        for name, annotation in WebSocketKeywords.__annotations__.items()
    }
    assert keywords == fields
