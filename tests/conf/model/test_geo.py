"""The lines of a geo."""

from __future__ import annotations

import pytest

from kit.conf_text import faults, http
from upwire.conf.cidr import parse_ip
from upwire.conf.model import Geo


def geo(lines: str) -> Geo:
    return http(f"geo $x {{ {lines} }}").geos["x"]


def values(table: Geo, *addresses: str) -> list[str]:
    return [table.find(parse_ip(address)) for address in addresses]


def test_the_longest_prefix_decides() -> None:
    table = geo("10.0.0.0/8 a; 10.1.0.0/16 b; default d; 10.1.2.3 c; ::/16 e;")
    found = values(table, "10.9.9.9", "10.1.9.9", "10.1.2.3", "9.9.9.9", "::1", "1::", "unix:")
    assert found == ["a", "b", "c", "d", "e", "d", "d"]


def test_nothing_without_a_default() -> None:
    assert values(geo("10.0.0.0/8 a;"), "9.9.9.9", "::1", "unix:") == ["", "", ""]


def test_what_is_deleted() -> None:
    assert values(geo("default d; 10.0.0.0/8 a; delete 10.0.0.0/8;"), "10.0.0.1") == ["d"]


def test_255_255_255_255_is_whoever_has_no_address() -> None:
    assert values(geo("255.255.255.255 n; default d;"), "unix:", "1.1.1.1") == ["n", "d"]


def test_ranges() -> None:
    table = geo("ranges; default d; 10.0.0.0-10.2.255.255 a; 10.0.5.0-10.0.5.9 b; ")
    found = values(table, "10.0.4.255", "10.0.5.0", "10.0.5.9", "10.0.5.10", "10.2.255.255")
    assert found == ["a", "b", "b", "a", "a"]
    assert values(table, "10.3.0.0", "9.255.255.255", "::1", "unix:") == ["d"] * 4


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ("10.0.0.0-10.0.0.3 b;", ["b", "b", "a"]),
        ("10.0.0.8-10.0.0.9 b;", ["a", "a", "b"]),
        ("10.0.0.0-10.0.0.9 b;", ["b", "b", "b"]),
    ],
)
def test_a_range_inside_another(inner: str, expected: list[str]) -> None:
    table = http(f"geo $x {{ ranges; 10.0.0.0-10.0.0.9 a; {inner} }}").geos["x"]
    assert values(table, "10.0.0.0", "10.0.0.3", "10.0.0.9") == expected


def test_ranges_are_put_in_order_and_deleted() -> None:
    table = geo("ranges; 10.0.0.9-10.0.0.9 c; 10.0.0.1-10.0.0.2 a; delete 10.0.0.9-10.0.0.9;")
    assert values(table, "10.0.0.1", "10.0.0.9") == ["a", ""]


def test_flags() -> None:
    table = geo("proxy 10.0.0.0/8; proxy_recursive; volatile;")
    assert (len(table.proxies), table.proxy_recursive, table.volatile) == (1, True, True)
    assert http("geo $arg_a $x { default 1; }").geos["x"].source == "arg_a"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("a;", "invalid number of the geo parameters"),
        ("10.0.0.0/8 a b;", "invalid number of the geo parameters"),
        ("10.0.0.0/99 a;", 'invalid network "10.0.0.0/99"'),
        ("unix: a;", 'invalid network "unix:"'),
        ("10.0.0.1/8 a;", "low address bits of 10.0.0.1/8 are meaningless"),
        ("delete 10.0.0.0/8;", 'no network "10.0.0.0/8" to delete'),
        (
            "10.0.0.0/8 a; 10.0.0.0/8 b;",
            'duplicate network "10.0.0.0/8", value: "b", old value: "a"',
        ),
        ("ranges; 10.0.0.0/8 a;", 'invalid range "10.0.0.0/8"'),
        ("ranges; 10.0.0.2-10.0.0.1 a;", 'invalid range "10.0.0.2-10.0.0.1"'),
        ("ranges; 10.0.0.1-x a;", 'invalid range "10.0.0.1-x"'),
        (
            "ranges; default a; default b;",
            'duplicate default geo range value: "b", old value: "a"',
        ),
        (
            "ranges; 1.0.0.1-1.0.0.5 a; 1.0.0.4-1.0.0.9 b;",
            'range "1.0.0.4-1.0.0.9" overlaps "1.0.0.1-1.0.0.5"',
        ),
        (
            "ranges; 1.0.0.1-1.0.0.5 a; 1.0.0.1-1.0.0.5 b;",
            'duplicate range "1.0.0.1-1.0.0.5", value: "b", old value: "a"',
        ),
        (
            "ranges; 1.0.0.1-1.0.0.5 a; delete 1.0.0.1-1.0.0.4;",
            'no address range "1.0.0.1-1.0.0.4" to delete',
        ),
    ],
)
def test_faults(lines: str, message: str) -> None:
    assert faults(f"geo $x {{ {lines} }}") == [message]
