"""The grammars inside fields' values."""

from __future__ import annotations

import pytest

from upwire.errors import RemoteProtocolError
from upwire.wire.fields import Headers, parse_parameters, remove_hop_by_hop


@pytest.mark.parametrize(
    ("element", "parsed"),
    [
        ("x", ("x", [])),
        ("x;a", ("x", [("a", None)])),
        ("x ; a=1;\tB ; a = 2", ("x", [("a", "1"), ("B", None), ("a", "2")])),
        (r'x; a="1\2"; b', ("x", [("a", "12"), ("b", None)])),
    ],
)
def test_parameters(element: str, parsed: tuple[str, list[tuple[str, str | None]]]) -> None:
    assert parse_parameters(element) == parsed


@pytest.mark.parametrize(
    "element", ["x;", "x;;a", "x a", "x; =1", "x; a=", 'x; a="1', 'x; a="1"2', "x; a=1 2", "x;é"]
)
def test_malformed_parameters(element: str) -> None:
    with pytest.raises(RemoteProtocolError, match="malformed parameter") as caught:
        parse_parameters(element)
    assert caught.value.status == 400


@pytest.mark.parametrize("element", ["", ";a", '"x"'])
def test_parameters_of_nothing(element: str) -> None:
    with pytest.raises(RemoteProtocolError, match="no name"):
        parse_parameters(element)


@pytest.mark.parametrize("quoted", ["", "1 0", "1;b", "a,b", r"\"", r"\\", "é"])
def test_a_quoted_value_is_a_token(quoted: str) -> None:
    with pytest.raises(RemoteProtocolError, match="is no token"):
        parse_parameters(f'x; a="{quoted}"')


def test_hop_by_hop_fields_are_left_out() -> None:
    headers = Headers(
        [
            ("Host", "h"),
            ("Connection", "close, X-Own, host"),
            ("connection", "Content-Length"),
            ("Keep-Alive", "timeout=5"),
            ("Proxy-Connection", "close"),
            ("TE", "trailers"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "websocket"),
            ("x-own", "1"),
            ("Content-Length", "5"),
            ("Accept", "*/*"),
        ]
    )
    kept = remove_hop_by_hop(headers)
    assert list(kept.items()) == [("Host", "h"), ("Content-Length", "5"), ("Accept", "*/*")]
    assert len(headers) == 11
