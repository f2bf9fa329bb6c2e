"""`listen ... proxy_protocol`: the header in front of everything that such a client sends."""

from __future__ import annotations

import asyncio

from upwire.errors import RemoteProtocolError, StreamError
from upwire.net.stream import Stream
from upwire.proxy.cycle import Cycle
from upwire.proxy.request import ClientFacts, Request
from upwire.proxy.variables import look_up
from upwire.wire.proxy_protocol import ProxyHeader, parse_proxy_header

_READING = "reading PROXY protocol"


async def read_proxy_header(stream: Stream, client: ClientFacts, cycle: Cycle) -> bool:
    """Read the header into client.proxied; False where there is none that is right.

    The connection is then closed, and the log says why, as nginx does. What is behind the header
    stays unread.
    """
    server = client.servers.default
    request = Request(cycle, client, None, server, look_up)
    try:
        async with asyncio.timeout(server.client_header_timeout_s):
            client.proxied = await _read(stream)
    except RemoteProtocolError as error:
        request.log("error", f"{error.message} while {_READING}")
    except TimeoutError:
        request.log("info", f"client timed out while {_READING}")
    except StreamError as error:
        request.log("info", f"{error} while {_READING}")
    else:
        return True
    stream.close()
    return False


async def _read(stream: Stream) -> ProxyHeader | None:
    octets = b""
    while (parsed := parse_proxy_header(octets)) is None:
        more = await stream.read(doing=_READING)
        if not more:
            raise StreamError("client closed connection", doing=_READING)
        octets += more
    header, end = parsed
    stream.unread(octets[end:])
    return header
