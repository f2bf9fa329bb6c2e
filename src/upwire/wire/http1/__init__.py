"""HTTP/1.1 messages. RFC 9112.

Strict where a second reading of the same octets would let a request be smuggled.
"""

from upwire.wire.http1.content import (
    CHUNKED,
    LAST_CHUNK,
    NO_CONTENT,
    BodyDecoder,
    BodyKind,
    Framing,
    encode_chunk,
    encode_last_chunk,
    request_framing,
    response_framing,
    wants_keep_alive,
)
from upwire.wire.http1.heads import (
    RequestHead,
    RequestHeadParser,
    ResponseHead,
    ResponseHeadParser,
    check_host,
    parse_request_head,
    parse_response_head,
    reason_phrase,
    serialize_request,
    serialize_response,
)
from upwire.wire.http1.limits import DEFAULT_LIMITS, HeadLimits

__all__ = [
    "CHUNKED",
    "DEFAULT_LIMITS",
    "LAST_CHUNK",
    "NO_CONTENT",
    "BodyDecoder",
    "BodyKind",
    "Framing",
    "HeadLimits",
    "RequestHead",
    "RequestHeadParser",
    "ResponseHead",
    "ResponseHeadParser",
    "check_host",
    "encode_chunk",
    "encode_last_chunk",
    "parse_request_head",
    "parse_response_head",
    "reason_phrase",
    "request_framing",
    "response_framing",
    "serialize_request",
    "serialize_response",
    "wants_keep_alive",
]
