"""What a status without a content of its own becomes: `error_page`, or a short page."""

from __future__ import annotations

from upwire.conf.model import ErrorPage
from upwire.proxy.headers import on_one_line
from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.response import absolute_location, phrase, respond, server_signature

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# nginx's own statuses, which clients see as 400.
_CLIENT_FAULTS = {
    494: "Request Header Or Cookie Too Large",
    495: "The SSL certificate error",
    496: "No required SSL certificate was sent",
    497: "The plain HTTP request was sent to HTTPS port",
}
# After these the connection is not used further.
ENDS_CONNECTION = frozenset({400, 413, 414, 495, 496, 497, 500, 501})


async def answer(request: Request, status: int) -> Handled:
    """Answer with a status, as `error_page` has it where it names that status.

    444 ends the connection without a response.
    """
    if status == 444:
        request.reply.status = 444
        request.reply.is_cut = True
        return Outcome.DONE
    page = _find_page(request, status)
    if page is not None:
        return await _answer_with_page(request, status, page)
    shown, detail = client_fault(status)
    request.status_override = None
    await _send_page(request, shown, detail)
    return Outcome.DONE


def page_content(status: int, detail: str, signature: str) -> bytes:
    """Return the page that names a status; statuses that have none, such as 204, get b""."""
    if status < 301 or status == 304:
        return b""
    title = f"{status} {phrase(status)}"
    explained = f"<p>{detail}</p>\r\n" if detail else ""
    return (
        f'<!doctype html>\r\n<html lang="en">\r\n<head><title>{title}</title></head>\r\n<body>\r\n'
        f"<h1>{title}</h1>\r\n{explained}<hr>\r\n<p>{signature}</p>\r\n</body>\r\n</html>\r\n"
    ).encode("latin-1")


def client_fault(status: int) -> tuple[int, str]:
    """Return the status that the client sees, and what its page says besides."""
    detail = _CLIENT_FAULTS.get(status, "")
    return (400 if detail else status), detail


def has_error_page(request: Request, status: int) -> bool:
    """Whether `error_page` names a status, so that an upstream's answer may be replaced."""
    return any(page.status == status for page in request.settings.error_pages)


def _find_page(request: Request, status: int) -> ErrorPage | None:
    if request.is_error_page or not request.uri or request.redirect_cycles > 1:
        return None
    for page in request.settings.error_pages:
        if page.status == status:
            request.is_error_page = not request.settings.recursive_error_pages
            return page
    return None


async def _answer_with_page(request: Request, status: int, page: ErrorPage) -> Handled:
    request.status_override = status if page.answer is None else page.answer or None
    if status in _REDIRECTS and request.redirect_to:
        request.added_fields.append(("Location", _location(request)))
    uri = page.uri.render(request.lookup)
    if uri.startswith("/"):
        if request.method != "HEAD":
            request.method = "GET"
        path, _, args = uri.partition("?")
        return request.redirect_internally(path, args)
    if uri.startswith("@"):
        return request.enter_named(uri[1:])
    shown, request.status_override = request.status_override, None
    request.redirect_to = uri
    await _send_page(request, shown if shown in _REDIRECTS else 302, "")
    return Outcome.DONE


def _location(request: Request) -> str:
    where = on_one_line(request.redirect_to)
    return absolute_location(request, where) if where.startswith("/") else where


async def _send_page(request: Request, shown: int, detail: str) -> None:
    fields: list[tuple[str, str]] = []
    content = page_content(shown, detail, server_signature(request))
    if content:
        fields.append(("Content-Type", "text/html"))
    if shown in _REDIRECTS and request.redirect_to:
        others = [field for field in request.added_fields if field[0] != "Location"]
        request.added_fields[:] = others
        fields.append(("Location", _location(request)))
    if shown in ENDS_CONNECTION or request.is_last:
        fields.append(("Connection", "close"))
    await respond(request, shown, fields, content)
