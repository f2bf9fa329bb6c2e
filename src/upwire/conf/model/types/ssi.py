"""What ngx_http_ssi_filter_module does in a location."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SsiSettings:
    """`ssi` and its like. types: media types whose contents hold commands; "*" for all."""

    is_on: bool = False
    silent_errors: bool = False
    value_length: int = 255
    types: frozenset[str] = frozenset({"text/html"})
    last_modified: bool = False
