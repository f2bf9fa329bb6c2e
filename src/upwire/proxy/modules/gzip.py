"""ngx_http_gzip_module, gunzip and what gzip_static asks: contents in the gzip coding."""

from __future__ import annotations

import re
import zlib

from upwire.proxy.dates import parse_date
from upwire.proxy.output import Filter, OutputHead
from upwire.proxy.request import Request
from upwire.wire.fields import Headers

_CODED = frozenset({200, 403, 404})
_PIECE_OCTETS = 64 * 1024
_WINDOW_BITS = 31  # 32 KiB, with gzip's header and trailer
_MEMORY_LEVEL = 8
_GZIP_WEIGHT = re.compile(
    r"(?:^|[, ])gzip *(?:; *q *= *(?P<weight>0(?:\.\d{0,3})?|1(?:\.0{0,3})?))? *(?=,|$)", re.I
)
_MSIE6 = re.compile(r"MSIE (?:[45]|6(?!.*SV1))\.")
_CACHE_WORDS = ("no-cache", "no-store", "private")


def join(request: Request, head: OutputHead) -> Filter | None:
    """Code a response of a type that `gzip_types` has, for a client that takes it."""
    settings = request.settings.gzip
    if not settings.is_on or head.status not in _CODED or not head.has_content:
        return None
    if head.fields.get("Content-Encoding"):
        return None
    if head.length is not None and head.length < settings.min_length_octets:
        return None
    if head.media_type not in settings.types and "*" not in settings.types:
        return None
    add_vary(request, head)
    if not takes_gzip(request, head.fields):
        return None
    head.fields.add("Content-Encoding", "gzip")
    head.forget_length()
    head.weaken_etag()
    return _Gzip(settings.level)


def join_gunzip(request: Request, head: OutputHead) -> Filter | None:
    """Decode a response for a client that does not take gzip, where `gunzip` says so."""
    coding = head.fields.get("Content-Encoding") or ""
    if not request.settings.gzip.gunzip or coding.strip().lower() != "gzip":
        return None
    add_vary(request, head)
    if takes_gzip(request, head.fields) or not head.has_content:
        return None
    head.fields.remove("Content-Encoding")
    head.forget_length()
    head.weaken_etag()
    return _Gunzip(request)


def add_vary(request: Request, head: OutputHead) -> None:
    """Say that the response depends on Accept-Encoding, where `gzip_vary` wants it."""
    if request.settings.gzip.vary and head.fields.get("Vary") != "Accept-Encoding":
        head.fields.add("Vary", "Accept-Encoding")


def takes_gzip(request: Request, answer: Headers) -> bool:
    """Whether a client may get a gzipped content; answer: the fields of the response."""
    settings, headers = request.settings.gzip, request.head.headers
    if request.main is not request or request.head.version < settings.http_version:
        return False
    if not accepts_gzip(headers.get("Accept-Encoding") or ""):
        return False
    agent = headers.get("User-Agent") or ""
    if settings.disable_msie6 and _MSIE6.search(agent):
        return False
    if any(regex.search(agent) is not None for regex in settings.disable):
        return False
    return headers.get("Via") is None or _may_code_proxied(request, answer)


def accepts_gzip(value: str) -> bool:
    """Whether an Accept-Encoding field has gzip, with a weight above 0 (RFC 9110 §12.5.3)."""
    match = _GZIP_WEIGHT.search(value)
    if match is None:
        return False
    return match["weight"] is None or float(match["weight"]) > 0


def _may_code_proxied(request: Request, answer: Headers) -> bool:
    """Whether `gzip_proxied` has the response, for a request that came through a proxy."""
    words = request.settings.gzip.proxied
    if "off" in words or "any" in words:
        return "any" in words
    if "auth" in words and request.head.headers.get("Authorization") is not None:
        return True
    expires = answer.get("Expires")
    if expires is not None:
        return "expired" in words and _is_expired(expires, answer.get("Date"), request)
    control = answer.combined("Cache-Control")
    if control is not None:
        tokens = {token.strip().partition("=")[0].lower() for token in control.split(",")}
        return any(word in words and word in tokens for word in _CACHE_WORDS)
    if "no_last_modified" in words and answer.get("Last-Modified") is None:
        return True
    return "no_etag" in words and answer.get("ETag") is None


def _is_expired(expires: str, date: str | None, request: Request) -> bool:
    expires_s = parse_date(expires)
    now_s = parse_date(date) if date is not None else request.cycle.wall_clock()
    return expires_s is not None and now_s is not None and expires_s < now_s


class _Gzip(Filter):
    """Codes the content."""

    __slots__ = ("_coder", "_is_held")

    def __init__(self, level: int) -> None:
        super().__init__()
        self._is_held = False
        self._coder = zlib.compressobj(level, zlib.DEFLATED, _WINDOW_BITS, _MEMORY_LEVEL)

    async def send(self, octets: bytes) -> None:
        """Take octets; the coder holds most of them back."""
        coded = self._coder.compress(octets)
        self._is_held = True
        if coded:
            await self.next.send(coded)

    async def flush(self) -> None:
        """Pass on all that was taken."""
        if self._is_held:
            self._is_held = False
            await self.next.send(self._coder.flush(zlib.Z_SYNC_FLUSH))
        await self.next.flush()

    async def finish(self) -> None:
        """Pass on the rest, and gzip's trailer."""
        await self.next.send(self._coder.flush())
        await self.next.finish()


class _Gunzip(Filter):
    """Decodes the content, a bounded piece at a time; a broken one is cut, so the client knows."""

    __slots__ = ("_decoder", "_is_broken", "_request")

    def __init__(self, request: Request) -> None:
        super().__init__()
        self._request = request
        self._is_broken = False
        self._decoder = zlib.decompressobj(_WINDOW_BITS)

    async def send(self, octets: bytes) -> None:
        """Pass on what octets decode to."""
        while octets and not self._is_broken:
            try:
                piece = self._decoder.decompress(octets, _PIECE_OCTETS)
            except zlib.error as error:
                self._request.log("error", f"inflate() failed: {error}")
                self._break()
                return
            if piece:
                await self.next.send(piece)
            octets = self._decoder.unconsumed_tail
            if self._decoder.eof and self._decoder.unused_data:
                octets = self._decoder.unused_data
                self._decoder = zlib.decompressobj(_WINDOW_BITS)

    async def finish(self) -> None:
        """Pass on the end, if it is one of gzip too."""
        if not self._is_broken and not self._decoder.eof:
            self._request.log("error", "inflate() failed: the content ends too early")
            self._break()
        if not self._is_broken:
            await self.next.finish()

    def _break(self) -> None:
        self._is_broken = True
        self._request.reply.is_cut = True
