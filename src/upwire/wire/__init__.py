"""Protocols as functions from octets to values: no sockets, no clock, no randomness.

RFC 9110 and 9112 (HTTP), RFC 6455 (WebSocket), RFC 7692 (permessage-deflate).
"""
