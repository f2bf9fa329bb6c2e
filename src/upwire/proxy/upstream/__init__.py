"""Which peer of an upstream gets a request, how failures count, and the idle connections."""

from upwire.proxy.upstream.keepalive import Clock, IdleConnections, UpstreamConnection
from upwire.proxy.upstream.peers import PeerAddress, PeerState
from upwire.proxy.upstream.selection import Hold, Selection, Upstreams
from upwire.proxy.upstream.sharing import SHARED_RECORD, Sharing

__all__ = [
    "SHARED_RECORD",
    "Clock",
    "Hold",
    "IdleConnections",
    "PeerAddress",
    "PeerState",
    "Selection",
    "Sharing",
    "UpstreamConnection",
    "Upstreams",
]
