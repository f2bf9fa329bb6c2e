"""Whose address a chain of trusted proxies gives."""

from __future__ import annotations

import pytest

from upwire.conf.cidr import parse_cidr
from upwire.proxy.forwarded import Origin, find_origin

TRUSTED = [parse_cidr(text)[0] for text in ("10.0.0.0/8", "unix:", "::1")]


@pytest.mark.parametrize(
    ("address", "values", "once", "recursively"),
    [
        ("10.0.0.1", ["1.1.1.1"], ("1.1.1.1", 0), ("1.1.1.1", 0)),
        ("9.9.9.9", ["1.1.1.1"], None, None),
        ("10.0.0.1", [], None, None),
        ("10.0.0.1", [" , "], None, None),
        ("unix:", ["2.2.2.2, 10.0.0.3 "], ("10.0.0.3", 0), ("2.2.2.2", 0)),
        ("10.0.0.1", ["2.2.2.2", "10.0.0.3"], ("10.0.0.3", 0), ("2.2.2.2", 0)),
        ("10.0.0.1", ["3.3.3.3, 2.2.2.2,10.0.0.3"], ("10.0.0.3", 0), ("2.2.2.2", 0)),
        ("10.0.0.1", ["x, 10.0.0.3"], ("10.0.0.3", 0), ("10.0.0.3", 0)),
        ("10.0.0.1", ["1.1.1.1, x"], None, None),
        ("10.0.0.1", ["1.1.1.1:80"], ("1.1.1.1", 80), ("1.1.1.1", 80)),
        ("::1", ["[2001:DB8::1]:80"], ("2001:db8::1", 80), ("2001:db8::1", 80)),
        ("::1", ["2001:db8::1"], ("2001:db8::1", 0), ("2001:db8::1", 0)),
        ("::1", ["::ffff:1.2.3.4"], ("::ffff:1.2.3.4", 0), ("::ffff:1.2.3.4", 0)),
        ("10.0.0.1", ["1.1.1.1:65536"], None, None),
        ("10.0.0.1", ["1.1.1.1:x"], None, None),
        ("10.0.0.1", ["[::1]x"], None, None),
        ("10.0.0.1", ["[::1"], None, None),
        ("10.0.0.1", ["fe80::1%2"], None, None),
        ("10.0.0.1", ["unix:"], None, None),
    ],
)
def test_origins(
    address: str, values: list[str], once: Origin | None, recursively: Origin | None
) -> None:
    assert find_origin((address, 1), values, TRUSTED, is_recursive=False) == once
    assert find_origin((address, 1), values, TRUSTED, is_recursive=True) == recursively
