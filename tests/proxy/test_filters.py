"""Which filters the responses of a location meet."""

from __future__ import annotations

import pytest

from kit.conf_text import location
from upwire.proxy.filters import CONTENT_FILTERS, WIRE_FILTERS, Join, needed_joins
from upwire.proxy.modules import addition, gzip, headers, ssi, sub_filter


def met(directives: str) -> set[Join]:
    content, wire = needed_joins(location(directives).settings)
    return {*content, *wire}


@pytest.mark.parametrize(
    ("directives", "join"),
    [
        ("add_header A b;", headers.join),
        ("add_trailer A b;", headers.join),
        ("expires 1h;", headers.join),
        ("gunzip on;", gzip.join_gunzip),
        ("sub_filter a b;", sub_filter.join),
        ("add_before_body /before;", addition.join),
        ("add_after_body /after;", addition.join),
        ("ssi on;", ssi.join),
        ("gzip on;", gzip.join),
    ],
)
def test_a_filter_is_met_where_it_has_something_to_do(directives: str, join: Join) -> None:
    assert join not in met("")
    assert met(directives) == {*met(""), join}


def test_the_order_is_nginxs() -> None:
    content, wire = needed_joins(location("gunzip on; ssi on; gzip on;").settings)
    assert list(content) == [join for join in CONTENT_FILTERS if join in content]
    assert list(wire) == [join for join in WIRE_FILTERS if join in wire]
