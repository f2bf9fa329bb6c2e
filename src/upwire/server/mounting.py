"""`Mount`: an application that answers requests by itself, beside the handlers of a server."""

from __future__ import annotations

import abc
import asyncio
from dataclasses import dataclass, field

from upwire.net.http1 import HttpExchange
from upwire.net.websocket import WebSocket
from upwire.server.options import ServerOptions


@dataclass(slots=True)
class Site:
    """What a server and its mounts share: what it was told, and the WebSockets that it closes."""

    options: ServerOptions
    websockets: set[WebSocket] = field(default_factory=set)
    is_stopping: bool = False


class Mount(abc.ABC):
    """Answers every request below a path, from its head on."""

    @abc.abstractmethod
    async def start(self) -> None:
        """Get ready, before the server listens. Raises UpwireError where it cannot."""

    @abc.abstractmethod
    async def serve(
        self, exchange: HttpExchange, prefix: str, site: Site
    ) -> asyncio.Task[None] | None:
        """Answer a request; return the task of the WebSocket that it has opened, if any.

        prefix: the path below which it was mounted, "" for all paths. Raises RemoteProtocolError,
        before anything is sent, for a handshake to refuse.
        """

    @abc.abstractmethod
    def begin_stop(self) -> None:
        """Tell the application that its requests are to end."""

    @abc.abstractmethod
    async def stop(self, timeout_s: float) -> None:
        """End, behind the last connection; what goes on beside them has timeout_s."""
