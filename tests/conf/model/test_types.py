"""Finding the value of a map."""

from __future__ import annotations

import pytest

from kit.conf_text import http
from upwire.conf.model import Map


def _find(found: Map, value: str) -> tuple[str, tuple[str, ...] | None]:
    template, captures = found.find(value)
    return template.text, captures


@pytest.mark.parametrize(
    ("value", "text", "captures"),
    [
        ("websocket", "exact", None),
        ("WebSocket", "exact", None),
        ("", "empty", None),
        ("xyz", "regex", ("xyz", "y")),
        ("XYZ", "default", None),
        ("endQ", "nocase", ("Q",)),
        ("a.example.", "default", None),
    ],
)
def test_texts_and_expressions(value: str, text: str, captures: tuple[str, ...] | None) -> None:
    found = http(
        'map $uri $b { default default; websocket exact; "" empty; ~^x(.)z regex; ~*q$ nocase; }'
    ).maps["b"]
    assert _find(found, value) == (text, captures)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("example.com", "dot"),
        ("a.b.example.com", "dot"),
        ("EXAMPLE.com.", "dot"),
        ("a.example.org", "star"),
        ("example.org", "none"),
        ("deep.a.example.org", "deep"),
        ("www.example.net", "tail"),
        ("www.example.net.au", "longer"),
        ("www.", "none"),
    ],
)
def test_host_names(value: str, text: str) -> None:
    found = http(
        "map $host $b { hostnames; default none; .example.com dot; *.example.org star;"
        " *.a.example.org deep; www.example.* tail; www.example.net.* longer; }"
    ).maps["b"]
    assert _find(found, value) == (text, None)
