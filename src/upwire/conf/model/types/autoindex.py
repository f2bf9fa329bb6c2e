"""What ngx_http_autoindex_module does at one level."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AutoindexSettings:
    """format: "html", "json", "jsonp" or "xml". The other two hold for "html" alone."""

    is_on: bool = False
    format: str = "html"
    in_local_time: bool = False
    has_exact_sizes: bool = True
