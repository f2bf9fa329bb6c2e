"""ngx_http_stub_status_module: the counters as nginx prints them."""

from __future__ import annotations

from upwire.proxy.request import Handled, Outcome, Request
from upwire.proxy.response import respond


async def answer(request: Request) -> Handled:
    """Answer in a location that has `stub_status`."""
    if request.settings.handler != "stub_status":
        return None
    if request.method not in ("GET", "HEAD"):
        return 405
    totals = request.cycle.counters.totals()
    text = (
        f"Active connections: {totals.active} \n"
        "server accepts handled requests\n"
        f" {totals.accepted} {totals.handled} {totals.requests} \n"
        f"Reading: {totals.reading} Writing: {totals.in_flight} Waiting: {totals.waiting} \n"
    )
    await respond(request, 200, [("Content-Type", "text/plain")], text.encode())
    return Outcome.DONE
