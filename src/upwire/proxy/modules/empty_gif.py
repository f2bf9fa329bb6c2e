"""ngx_http_empty_gif_module: one transparent pixel."""

from __future__ import annotations

from upwire.proxy.output import OutputHead
from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.response import finish, send, send_head

# GIF89a, 1x1, a table of black and white of which white (1) is transparent, that pixel.
_PIXEL = bytes.fromhex(
    "474946383961 01000100 800100 000000 ffffff"
    "21f90401 0000 01 00"
    "2c 00000000 01000100 00 02 02 4c01 00 3b"
)


async def answer(request: Request) -> Handled:
    """Answer in a location that has `empty_gif`."""
    if request.settings.handler != "empty_gif":
        return None
    if request.method not in ("GET", "HEAD"):
        return 405
    fields = [("Content-Type", "image/gif"), ("Last-Modified", "Mon, 28 Sep 1970 06:00:00 GMT")]
    head = OutputHead(200, fields, len(_PIXEL), allows_conditions=True)
    await send_head(request, head, is_held=True)
    await send(request, _PIXEL)
    await finish(request)
    return Outcome.DONE
