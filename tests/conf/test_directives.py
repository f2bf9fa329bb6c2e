"""The table of directives."""

from __future__ import annotations

import pytest

from upwire.conf.directives import TABLE, Context, DirectiveSpec, Inherit, Kind
from upwire.conf.values import parse_number, parse_offset, parse_size, parse_time

ROWS = [row for rows in TABLE.values() for row in rows]


def _find(name: str, context: Context) -> DirectiveSpec:
    return next(row for row in TABLE[name] if row.contexts & context)


def test_it_holds_what_nginx_has() -> None:
    assert len(ROWS) > 750
    assert {"proxy_pass", "http2", "sticky", "js_import"} & TABLE.keys() == {
        "proxy_pass",
        "http2",
        "sticky",
    }


def test_names_are_shared_by_contexts() -> None:
    assert _find("server", Context.HTTP).is_block
    assert not _find("server", Context.UPSTREAM).is_block
    assert _find("proxy_pass", Context.STREAM_SERVER).module == "ngx_stream_proxy_module"
    assert _find("include", Context.MAIL_SERVER).module == "ngx_conf_module"


def test_no_two_rows_of_a_name_share_a_context() -> None:
    for name, rows in TABLE.items():
        seen = Context(0)
        for row in rows:
            assert not row.contexts & seen, name
            seen |= row.contexts


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.module}-{row.name}")
def test_rows_are_whole(row: DirectiveSpec) -> None:
    assert row.contexts
    assert row.module.startswith("ngx_")
    assert bool(row.choices) == (row.kind in (Kind.ENUM, Kind.BITMASK))
    if row.default is not None:
        assert row.takes(len(row.default.split())) or row.kind in (Kind.OTHER, Kind.STRING)
        _check_default(row.kind, row.default, row.choices)


def _check_default(kind: Kind, default: str, choices: tuple[str, ...]) -> None:
    """A default is a value that its kind can be."""
    if kind is Kind.FLAG:
        assert default in ("on", "off")
    elif kind is Kind.NUMBER:
        parse_number(default)
    elif kind is Kind.SIZE:
        parse_size(default)
    elif kind is Kind.OFFSET:
        parse_offset(default)
    elif kind in (Kind.TIME, Kind.SECONDS):
        parse_time(default)
    elif kind in (Kind.ENUM, Kind.BITMASK):
        assert set(default.split()) <= set(choices)


@pytest.mark.parametrize(
    ("arity", "taken"),
    [
        ("0", [0]),
        ("12", [1, 2]),
        ("1+", [1, 2, 3, 4]),
        ("2+", [2, 3, 4]),
        ("*", [0, 1, 2, 3, 4]),
    ],
)
def test_arity(arity: str, taken: list[int]) -> None:
    row = DirectiveSpec("x", Context.HTTP, arity=arity)
    assert [count for count in range(5) if row.takes(count)] == taken


def test_arity_is_one_digit_a_count() -> None:
    assert not DirectiveSpec("x", Context.HTTP, arity="12").takes(12)


def test_defaults_follow_the_version() -> None:
    row = _find("proxy_http_version", Context.LOCATION)
    assert row.default_in((1, 29, 6)) == "1.0"
    assert row.default_in((1, 29, 7)) == "1.1"
    assert _find("proxy_buffering", Context.LOCATION).default_in((1, 0, 0)) == "on"


def test_what_may_stand_twice() -> None:
    assert _find("proxy_read_timeout", Context.HTTP).is_unique
    assert not _find("proxy_set_header", Context.HTTP).is_unique
    assert not _find("location", Context.SERVER).is_unique
    assert _find("proxy_set_header", Context.HTTP).inherits is Inherit.ARRAY
    assert _find("return", Context.SERVER).inherits is Inherit.NONE
