"""What ngx_http_addition_filter_module does in a location."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AdditionSettings:
    """`add_before_body` and `add_after_body`: paths whose contents are put around; "" for none."""

    before: str = ""
    after: str = ""
    types: frozenset[str] = frozenset({"text/html"})
