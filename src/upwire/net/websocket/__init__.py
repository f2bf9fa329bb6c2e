"""`WebSocket`: messages over one Stream."""

from __future__ import annotations

from upwire.net.websocket._channel import Data
from upwire.net.websocket.callbacks import Callbacks
from upwire.net.websocket.options import WebSocketKeywords, WebSocketOptions
from upwire.net.websocket.websocket import WebSocket

__all__ = ["Callbacks", "Data", "WebSocket", "WebSocketKeywords", "WebSocketOptions"]
