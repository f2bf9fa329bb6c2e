"""ngx_http_charset_filter_module: the charset in Content-Type, and contents recoded to it."""

from __future__ import annotations

import codecs
import re

from upwire.conf.model import Recoding
from upwire.proxy.output import Filter, OutputHead
from upwire.proxy.request import Request

_PARAMETER = re.compile(r";\s*charset\s*=\s*\"?(?P<name>[^\s;\"]+)\"?", re.IGNORECASE)


def join(request: Request, head: OutputHead) -> Filter | None:
    """Say the charset of a response, and recode it where it has another."""
    if request.settings.charset.charset is None and request.main is request:
        return None
    declared = _PARAMETER.search(head.fields.get("Content-Type") or "")
    target = _find_target(request, head, declared is not None)
    if not target:
        return None
    settings = request.settings.charset
    if declared is not None:
        source = declared["name"]
    else:
        source = settings.source.render(request.lookup) if settings.source is not None else ""
    if not source or source.lower() == target.lower():
        _say(head, target)
        return None
    if head.fields.get("Content-Encoding"):
        return None
    recoding = request.cycle.config.recodings.get((source.lower(), target.lower()))
    if recoding is None:
        message = f'no "charset_map" between the charsets "{source}" and "{target}"'
        request.log("error", message)
        return None
    _say(head, target)
    if recoding.characters is not None or any(len(octets) > 1 for octets in recoding.octets):
        head.length = None
    return _Recoder(recoding)


def _find_target(request: Request, head: OutputHead, is_declared: bool) -> str:
    """Return the charset that the client is to get, "" where nothing is done.

    A subrequest's content is recoded to what the main request's response said.
    """
    if "Content-Type" not in head.fields:
        return ""
    if request.main is not request:
        said = _PARAMETER.search(request.main.reply.fields.get("Content-Type") or "")
        return said["name"] if said is not None else ""
    settings = request.settings.charset
    assert settings.charset is not None
    is_of_type = head.media_type in settings.types or "*" in settings.types
    if settings.is_overriding if is_declared else is_of_type:
        return settings.charset.render(request.lookup)
    return ""


def _say(head: OutputHead, charset: str) -> None:
    """Name the charset; a redirect's would be taken for that of the page which it leads to."""
    media_type = _PARAMETER.sub("", head.fields.get("Content-Type") or "")
    told = "" if head.status in (301, 302) else f"; charset={charset}"
    head.fields.set("Content-Type", media_type + told)


class _Recoder(Filter):
    """Passes a content on in another charset; what that lacks becomes "?", or a reference."""

    __slots__ = ("_decoder", "_recoding", "_table")

    def __init__(self, recoding: Recoding) -> None:
        super().__init__()
        self._recoding = recoding
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        is_plain = all(len(octets) == 1 for octets in recoding.octets)
        self._table = b"".join(recoding.octets) if is_plain and recoding.octets else None

    async def send(self, octets: bytes) -> None:
        """Pass on octets recoded."""
        recoded = self._recode(octets, is_last=False)
        if recoded:
            await self.next.send(recoded)

    async def finish(self) -> None:
        """Pass on what is left of a character that is cut, and the end."""
        if self._recoding.characters is not None and (left := self._recode(b"", is_last=True)):
            await self.next.send(left)
        await self.next.finish()

    def _recode(self, octets: bytes, *, is_last: bool) -> bytes:
        if self._table is not None:
            return octets.translate(self._table)
        characters = self._recoding.characters
        if characters is None:
            return b"".join(self._recoding.octets[octet] for octet in octets)
        parts = []
        for character in self._decoder.decode(octets, is_last):
            code = ord(character)
            if code in characters:
                parts.append(bytes([characters[code]]))
            else:
                parts.append(b"?" if character == "\ufffd" else b"&#%d;" % code)
        return b"".join(parts)
