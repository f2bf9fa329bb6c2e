"""`PreparedMessage`: one message for many connections, whose frame is built once."""

from __future__ import annotations

from upwire.wire._codec import write_frame
from upwire.wire.deflate import Compression, PerMessageDeflate, compress_alone
from upwire.wire.frames import Opcode, encode_text

_FIN, _RSV1 = 0x80, 0x40


class PreparedMessage:
    """A message in a server's frame: unmasked, and compressed once for each way to do that.

    data: the message, str for text, bytes for binary.
    frame: its frame, not compressed, which permessage-deflate always allows (RFC 7692 §6).
    """

    __slots__ = ("_deflated", "_payload", "data", "frame")

    def __init__(self, data: str | bytes) -> None:
        self.data = data
        self._payload = encode_text(data) if isinstance(data, str) else data
        self.frame = self._build(self._payload, rsv1=False)
        self._deflated: dict[Compression, bytes] | None = None

    def frame_for(self, deflate: PerMessageDeflate) -> bytes:
        """Return the frame for a connection with that codec, which forgets what it has sent.

        What many get refers to nothing before it, since their windows differ. It moves all these
        windows, so a compressor that went on with its own would refer to the wrong octets.
        """
        if len(self._payload) < deflate.parameters.min_octets:
            return self.frame
        deflate.forget_sent()
        if self._deflated is None:
            self._deflated = {}
        frame = self._deflated.get(deflate.compression)
        if frame is None:
            payload = compress_alone(self._payload, deflate.compression)
            frame = self._deflated[deflate.compression] = self._build(payload, rsv1=True)
        return frame

    def _build(self, payload: bytes, *, rsv1: bool) -> bytes:
        opcode = Opcode.TEXT if isinstance(self.data, str) else Opcode.BINARY
        frame: bytes = write_frame(opcode | _FIN | (_RSV1 if rsv1 else 0), payload, None, 0)
        return frame
