"""`reconnecting()`: a WebSocket that comes back."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Callable
from typing import Unpack

from upwire.client.connecting import connect
from upwire.client.options import ClientKeywords
from upwire.errors import ConnectError, HandshakeRefused, LocalProtocolError, StreamError
from upwire.net.websocket import WebSocket

logger = logging.getLogger("upwire.client")

_PASSING_STATUSES = frozenset({408, 425, 429})


class Backoff:
    """Delays with full jitter: a random one up to a ceiling that doubles with each failure.

    So clients that lost one server come back spread out, not all at once. first_s is the first
    ceiling and cap_s the last; draw(low, high) gives a random number between the two.
    """

    def __init__(
        self,
        first_s: float,
        cap_s: float,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        if not 0 < first_s <= cap_s:
            raise LocalProtocolError(f"delays of {first_s:g} s to {cap_s:g} s make no range")
        self._first_s = first_s
        self._cap_s = cap_s
        self._draw = draw
        self._ceiling_s = first_s

    def next_s(self, least_s: float = 0.0) -> float:
        """Return the next delay; least_s, such as of a Retry-After, up to the cap is kept."""
        delay_s = self._draw(0.0, self._ceiling_s)
        self._ceiling_s = min(2 * self._ceiling_s, self._cap_s)
        return delay_s + min(least_s, self._cap_s)

    def reset(self) -> None:
        """Begin again with the first ceiling."""
        self._ceiling_s = self._first_s


def may_pass(refusal: HandshakeRefused) -> bool:
    """Whether trying again may help: not with 4xx, but for 408, 425 and 429, and not with 3xx."""
    return refusal.status >= 500 or refusal.status in _PASSING_STATUSES


async def reconnecting(
    url: str,
    *,
    first_delay_s: float = 1.0,
    delay_cap_s: float = 60.0,
    stable_after_s: float = 10.0,
    retry_refusal: Callable[[HandshakeRefused], bool] = may_pass,
    **options: Unpack[ClientKeywords],
) -> AsyncIterator[WebSocket]:
    """Yield one open WebSocket after the other, each once the one before has ended.

        async for ws in upwire.reconnecting("wss://example.org/feed"):
            try:
                async for message in ws:
                    print(message)
            except upwire.ConnectionClosed:
                pass  # connect again

    The first attempt is made at once. Behind a failure, and behind a connection, comes a random
    delay, see Backoff; it begins small again after a connection that lasted stable_after_s.
    Leaving the loop closes the WebSocket. options are connect()'s.

    Raises what cannot mend itself: HandshakeRefused that retry_refusal does not take, another
    RemoteProtocolError, a certificate that does not verify, LocalProtocolError.
    """
    loop = asyncio.get_running_loop()
    backoff = Backoff(first_delay_s, delay_cap_s)
    while True:
        least_s = 0.0
        try:
            async with connect(url, **options) as ws:
                connected_s = loop.time()
                yield ws
            if loop.time() - connected_s >= stable_after_s:
                backoff.reset()
        except HandshakeRefused as refusal:
            if not retry_refusal(refusal):
                raise
            least_s = _retry_after_s(refusal)
            logger.info("%s", refusal)
        except (ConnectError, StreamError) as error:
            if isinstance(error.__cause__, ssl.SSLCertVerificationError):
                raise
            logger.info("%s", error)
        delay_s = backoff.next_s(least_s)
        logger.info("connecting to %s again in %.1f s", url, delay_s)
        await asyncio.sleep(delay_s)


def _retry_after_s(refusal: HandshakeRefused) -> float:
    """Return the Retry-After of a refusal, where it is in seconds. RFC 9110 §10.2.3."""
    for name, value in refusal.headers:
        if name.lower() == "retry-after" and value.isascii() and value.isdigit():
            return float(value)
    return 0.0
