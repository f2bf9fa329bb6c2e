"""ngx_http_not_modified_filter_module: conditional requests (RFC 9110 §13)."""

from __future__ import annotations

from calendar import timegm
from email.utils import parsedate

from upwire.wire.fields import Headers, parse_list


def check_conditions(headers: Headers, modified: str, etag: str) -> int | None:
    """Return 304 or 412 where the conditions say so, None where the content is to be sent.

    modified: the Last-Modified value. etag: "" where the file has none.
    As nginx: If-Modified-Since asks for that very time, and must hold beside If-None-Match.
    """
    unmodified_since = headers.get("If-Unmodified-Since")
    if unmodified_since is not None:
        limit_s, modified_s = parse_date(unmodified_since), parse_date(modified)
        if limit_s is None or modified_s is None or modified_s > limit_s:
            return 412
    match = headers.combined("If-Match")
    if match is not None and not has_etag(match, etag, is_weak=False):
        return 412
    modified_since = headers.get("If-Modified-Since")
    none_match = headers.combined("If-None-Match")
    if modified_since is None and none_match is None:
        return None
    if modified_since is not None and parse_date(modified_since) != parse_date(modified):
        return None
    if none_match is not None and not has_etag(none_match, etag, is_weak=True):
        return None
    return 304


def has_etag(value: str, etag: str, *, is_weak: bool) -> bool:
    """Whether a list of entity tags has etag; is_weak asks for weak comparison (§8.8.3.2)."""
    if value.strip() == "*":
        return True
    tags = parse_list(value)
    if is_weak:
        return etag.removeprefix("W/") in [tag.removeprefix("W/") for tag in tags]
    return etag in tags


def parse_date(value: str) -> int | None:
    """Return the seconds since 1970 of an HTTP date, None for what is none. RFC 9110 §5.6.7."""
    try:
        parts = parsedate(value)
        return timegm(parts) if parts is not None else None
    except (ValueError, OverflowError):
        return None
