"""ngx_http_not_modified_filter_module: conditional requests (RFC 9110 §13)."""

from __future__ import annotations

from upwire.proxy.dates import parse_date
from upwire.proxy.output import OutputHead, Refused
from upwire.proxy.request import Request
from upwire.wire.fields import Headers, parse_list


def join(request: Request, head: OutputHead) -> None:
    """Turn a response into 304, or refuse it with 412, where the request's conditions say so."""
    if not head.allows_conditions or head.status != 200 or request.main is not request:
        return
    condition = check_conditions(
        request.head.headers,
        head.fields.get("Last-Modified"),
        head.fields.get("ETag") or "",
        request.settings.if_modified_since,
    )
    if condition == 412:
        raise Refused(412)
    if condition == 304:
        head.status, head.reason, head.has_content = 304, None, False
        head.forget_length()
        head.fields.remove("Content-Type")
        head.fields.remove("Content-Encoding")


def check_conditions(
    headers: Headers, modified: str | None, etag: str, if_modified_since: str = "exact"
) -> int | None:
    """Return 304 or 412 where the conditions say so, None where the content is to be sent.

    modified: the Last-Modified value. etag: "" where there is none. if_modified_since: "off",
    "exact" or "before". As nginx: If-Modified-Since must hold beside If-None-Match.
    """
    modified_s = parse_date(modified) if modified is not None else None
    unmodified_since = headers.get("If-Unmodified-Since")
    if unmodified_since is not None:
        limit_s = parse_date(unmodified_since)
        if limit_s is None or modified_s is None or modified_s > limit_s:
            return 412
    match = headers.combined("If-Match")
    if match is not None and not has_etag(match, etag, is_weak=False):
        return 412
    modified_since = headers.get("If-Modified-Since")
    none_match = headers.combined("If-None-Match")
    if modified_since is None and none_match is None:
        return None
    if modified_since is not None and _is_modified(modified_s, modified_since, if_modified_since):
        return None
    if none_match is not None and not has_etag(none_match, etag, is_weak=True):
        return None
    return 304


def has_etag(value: str, etag: str, *, is_weak: bool) -> bool:
    """Whether a list of entity tags has etag; is_weak asks for weak comparison (§8.8.3.2)."""
    if value.strip() == "*":
        return True
    tags = parse_list(value)
    if not etag:
        return False
    if is_weak:
        return etag.removeprefix("W/") in [tag.removeprefix("W/") for tag in tags]
    return etag in tags


def _is_modified(modified_s: int | None, since: str, comparison: str) -> bool:
    if modified_s is None or comparison == "off":
        return True
    since_s = parse_date(since)
    if since_s == modified_s:
        return False
    return comparison == "exact" or since_s is None or since_s < modified_s
