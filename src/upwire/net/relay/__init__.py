"""The tunnel's data plane: two Streams, octets both ways, frames counted as they pass."""

from upwire.net.relay.carrier import Cause, RelayEnd, Side
from upwire.net.relay.relay import Relay, RelayOptions

__all__ = ["Cause", "Relay", "RelayEnd", "RelayOptions", "Side"]
