"""ngx_http_addition_filter_module: other contents before and behind a response's own."""

from __future__ import annotations

from upwire.proxy.output import Filter, OutputHead
from upwire.proxy.request import Request
from upwire.proxy.subrequest import include


def join(request: Request, head: OutputHead) -> Filter | None:
    """Put what `add_before_body` and `add_after_body` name around a page."""
    settings = request.settings.addition
    if head.status != 200 or request.main is not request:
        return None
    if not settings.before and not settings.after:
        return None
    if head.media_type not in settings.types and "*" not in settings.types:
        return None
    head.forget_length()
    head.weaken_etag()
    return _Addition(request)


class _Addition(Filter):
    """Passes on a content between two others."""

    __slots__ = ("_is_begun", "_request")

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._request = request
        self._is_begun = False

    async def send(self, octets: bytes) -> None:
        """Pass on octets, what comes before them first."""
        await self._begin()
        await self.next.send(octets)

    async def finish(self) -> None:
        """Pass on what comes behind, and the end."""
        await self._begin()
        await self.next.flush()
        if self._request.settings.addition.after:
            await include(self._request, self._request.settings.addition.after)
        await self.next.finish()

    async def _begin(self) -> None:
        if self._is_begun:
            return
        self._is_begun = True
        if self._request.settings.addition.before:
            await include(self._request, self._request.settings.addition.before)
