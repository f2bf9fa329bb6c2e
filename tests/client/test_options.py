"""Options are checked once, when they are made."""

from __future__ import annotations

import dataclasses

import pytest

from upwire.client import ClientKeywords, ClientOptions
from upwire.errors import LocalProtocolError


def test_the_keywords_are_the_fields() -> None:
    names = {field.name for field in dataclasses.fields(ClientOptions)}
    assert set(ClientKeywords.__annotations__) == names


def test_wrong_options_are_refused() -> None:
    with pytest.raises(LocalProtocolError, match="open_timeout_s must be more than 0"):
        ClientOptions(open_timeout_s=0)
    with pytest.raises(LocalProtocolError, match="ping_interval_s must be more than 0"):
        ClientOptions(ping_interval_s=-1)
    with pytest.raises(LocalProtocolError, match="subprotocols is a sequence"):
        ClientOptions(subprotocols="chat")
