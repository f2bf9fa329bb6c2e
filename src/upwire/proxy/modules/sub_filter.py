"""ngx_http_sub_module: other texts in place of those that a content has."""

from __future__ import annotations

import re

from upwire.conf.variables import Template
from upwire.proxy.output import Filter, OutputHead
from upwire.proxy.request import Request


def join(request: Request, head: OutputHead) -> Filter | None:
    """Replace texts in a response of a type that `sub_filter_types` has."""
    settings = request.settings.sub_filter
    if not settings.pairs or head.length == 0:
        return None
    if head.media_type not in settings.types and "*" not in settings.types:
        return None
    pairs = [
        (text.encode("latin-1", "replace").lower(), replacement)
        for pattern, replacement in settings.pairs
        if (text := pattern.render(request.lookup))
    ]
    if not pairs:
        return None
    if request.main is request:
        head.forget_length()
        if settings.last_modified:
            head.weaken_etag()
        else:
            head.forget_validators()
    return _SubFilter(request, pairs, is_once=settings.once)


class _SubFilter(Filter):
    """Looks for all texts at once: the first in the content counts, then the first in the file.

    What may be the beginning of a text is held back until more comes.
    """

    __slots__ = ("_expression", "_held", "_is_once", "_pairs", "_request")

    def __init__(
        self, request: Request, pairs: list[tuple[bytes, Template]], *, is_once: bool
    ) -> None:
        super().__init__()
        self._request = request
        self._pairs = pairs
        self._is_once = is_once
        self._held = b""
        self._expression = _compile(pairs)

    async def send(self, octets: bytes) -> None:
        """Pass on what can no more become one of the texts."""
        done, self._held = self._replace(self._held + octets, is_last=False)
        if done:
            await self.next.send(done)

    async def finish(self) -> None:
        """Pass on what was held back, which no longer text begins with."""
        done, self._held = self._replace(self._held, is_last=True)
        if done:
            await self.next.send(done)
        await self.next.finish()

    def _replace(self, octets: bytes, *, is_last: bool) -> tuple[bytes, bytes]:
        """Return what is done, and what is to be held back."""
        done: list[bytes] = []
        at = 0
        while self._pairs:
            match = self._expression.search(octets, at)
            held = None if is_last else self._find_beginning(octets, at, match)
            if held is not None:
                done.append(octets[at:held])
                return b"".join(done), octets[held:]
            if match is None:
                break
            assert match.lastindex is not None
            done += (octets[at : match.start()], self._replacement(match.lastindex - 1))
            at = match.end()
        done.append(octets[at:])
        return b"".join(done), b""

    def _find_beginning(self, octets: bytes, at: int, match: re.Match[bytes] | None) -> int | None:
        """Return where a text may begin whose end has not come, if that goes before match."""
        end = len(octets)
        longest = max(len(pattern) for pattern, _ in self._pairs)
        limit = match.start() if match is not None else end - 1
        lowered = octets[max(at, end - longest + 1) :].lower()
        for start in range(max(at, end - longest + 1), limit + 1):
            tail = lowered[len(lowered) - (end - start) :]
            for number, (pattern, _) in enumerate(self._pairs, 1):
                if match is not None and start == limit and number >= (match.lastindex or 0):
                    break
                if len(pattern) > len(tail) and pattern.startswith(tail):
                    return start
        return None

    def _replacement(self, number: int) -> bytes:
        """Return what replaces a text, and forget the text where it is replaced only once."""
        pattern, template = self._pairs[number]
        replacement = template.render(self._request.lookup).encode("latin-1", "replace")
        if self._is_once:
            del self._pairs[number]
            self._expression = _compile(self._pairs)
        else:
            self._pairs[number] = pattern, Template.literal(replacement.decode("latin-1"))
        return replacement


def _compile(pairs: list[tuple[bytes, Template]]) -> re.Pattern[bytes]:
    alternatives = (b"(" + re.escape(pattern) + b")" for pattern, _ in pairs)
    return re.compile(b"|".join(alternatives), re.IGNORECASE)
