"""`add_header` and `expires`, inherited and refused."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http, location
from upwire.conf.model import Expires, ExpiresTemplate, Since


def test_add_header() -> None:
    first, second = location("add_header a $uri; add_header b c always;").settings.add_headers
    assert (first.name, first.value.variables, first.always) == ("a", ("uri",), False)
    assert second.always


@pytest.mark.parametrize(
    ("inner", "names"),
    [
        ("", "ba"),
        ("add_header c d;", "cba"),
        ("add_header_inherit on; add_header c d;", "c"),
        ("add_header_inherit on;", "ba"),
        ("add_header_inherit off;", ""),
        ("add_header_inherit off; add_header c d;", "c"),
    ],
)
def test_inheritance(inner: str, names: str) -> None:
    outer = "add_header b c; add_header_inherit merge;"
    text = f"add_header a b; server {{ {outer} location / {{ {inner} }} }}"
    found = http(text).servers[0].locations[0].settings.add_headers
    assert "".join(header.name for header in found) == names


def test_merge_at_the_outermost_level() -> None:
    settings = http("add_header a b; add_header_inherit merge; server { }").servers[0].settings
    assert [header.name for header in settings.add_headers] == ["a"]


@pytest.mark.parametrize(
    ("text", "since", "time_s"),
    [
        ("1h", Since.ACCESS, 3600),
        ("+1h", Since.ACCESS, 3600),
        ("-1", Since.ACCESS, -1),
        ("modified +1m", Since.MODIFIED, 60),
        ("@15h30m", Since.MIDNIGHT, 55800),
        ("epoch", Since.EPOCH, 0),
        ("max", Since.MAX, 0),
    ],
)
def test_expires(text: str, since: Since, time_s: int) -> None:
    assert location(f"expires {text};").settings.expires == Expires(since, time_s)


def test_expires_off_and_with_variables() -> None:
    assert http("expires 1; server { expires off; }").servers[0].settings.expires is None
    found = location("expires modified $arg_e;").settings.expires
    assert isinstance(found, ExpiresTemplate)
    assert found.is_from_modified


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("soon", "invalid value"),
        ("created 1", "invalid value"),
        ("modified @1h", 'daily time cannot be used with "modified" parameter'),
        ("modified epoch", "invalid value"),
        ("@25h", "daily time value must be less than 24 hours"),
    ],
)
def test_wrong_times(text: str, message: str) -> None:
    assert faults(f"server {{ expires {text}; }}") == [f'"expires" directive {message}']
