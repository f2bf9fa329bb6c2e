"""What upstreams ask for by X-Accel fields."""

from __future__ import annotations

import pytest

from kit.conf_text import location
from upwire.conf.model import ProxySettings
from upwire.proxy import accel
from upwire.wire.fields import Headers
from upwire.wire.http1 import ResponseHead


def head(*fields: tuple[str, str]) -> ResponseHead:
    return ResponseHead(200, "OK", headers=Headers(fields))


def proxy(directives: str = "") -> ProxySettings:
    return location(directives).settings.proxy


def test_where_to_redirect() -> None:
    asked = head(("X-Accel-Redirect", "/p"))
    assert accel.redirect_of(asked, proxy()) == "/p"
    assert accel.redirect_of(asked, proxy("proxy_ignore_headers X-Accel-Redirect;")) is None
    assert accel.redirect_of(head(), proxy()) is None


@pytest.mark.parametrize(("value", "rate"), [("1k", 1024), ("0", 0), ("fast", None)])
def test_the_client_s_rate(value: str, rate: int | None) -> None:
    asked = head(("X-Accel-Limit-Rate", value))
    assert accel.limit_rate_of(asked, proxy()) == rate
    assert accel.limit_rate_of(asked, proxy("proxy_ignore_headers X-Accel-Limit-Rate;")) is None
    assert accel.limit_rate_of(head(), proxy()) is None


def test_what_a_redirect_keeps() -> None:
    fields = [("Set-Cookie", "a"), ("X-Other", "b"), ("Set-Cookie", "c"), ("Content-Type", "d")]
    kept = [("Set-Cookie", "a"), ("Set-Cookie", "c"), ("Content-Type", "d")]
    assert accel.kept_fields(head(*fields)) == kept


@pytest.mark.parametrize(
    ("directives", "value", "buffered"),
    [
        ("", "no", False),
        ("", "NO", False),
        ("", "other", True),
        ("proxy_buffering off;", "yes", True),
        ("proxy_buffering off;", "", False),
        ("proxy_ignore_headers X-Accel-Buffering;", "no", True),
    ],
)
def test_buffering(directives: str, value: str, buffered: bool) -> None:
    assert accel.is_buffered(head(("X-Accel-Buffering", value)), proxy(directives)) is buffered
