"""A response on its way out: its head while filters may change it, and where its content goes."""

from __future__ import annotations

from upwire.wire.fields import Headers


class Refused(Exception):
    """A filter wants another response instead; status is answered as `error_page` has it."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class OutputHead:
    """The head of a response before it is sent.

    fields lack Content-Length, which is length: octets, None where they are not known.
    allows_ranges and allows_conditions: a client may ask for the content in part, or on conditions.
    allows_one_range: in one part only, as of what passes through.
    has_content: whether octets may follow, which filters turn off but not on. expects_trailers: the
    content is chunked where that can be, since fields follow it.
    """

    __slots__ = (
        "allows_conditions",
        "allows_one_range",
        "allows_ranges",
        "expects_trailers",
        "fields",
        "has_content",
        "length",
        "reason",
        "status",
    )

    def __init__(
        self,
        status: int,
        fields: list[tuple[str, str]],
        length: int | None = None,
        *,
        reason: str | None = None,
        allows_ranges: bool = False,
        allows_conditions: bool = False,
    ) -> None:
        """reason None: the status's own phrase."""
        self.status = status
        self.reason = reason
        self.fields = Headers.from_parsed(fields)
        self.length = length
        self.allows_ranges = allows_ranges
        self.allows_one_range = False
        self.allows_conditions = allows_conditions
        self.expects_trailers = False
        self.has_content = status not in (204, 304)
        stated = self.fields.get("Content-Length")
        if stated is not None and stated.isdecimal():
            self.length = int(stated) if length is None else length
            self.fields.remove("Content-Length")

    @property
    def media_type(self) -> str:
        """The type of the content in lower case, without parameters; "" where none is said."""
        return (self.fields.get("Content-Type") or "").partition(";")[0].strip().lower()

    def forget_length(self) -> None:
        """Note that a filter changes the content: neither its length nor parts of it are known."""
        self.length = None
        self.forget_ranges()

    def forget_ranges(self) -> None:
        """Do not serve parts of this content."""
        self.allows_ranges = False
        self.fields.remove("Accept-Ranges")

    def forget_validators(self) -> None:
        """Drop what names one state of the content: Last-Modified and ETag."""
        self.fields.remove("Last-Modified")
        self.fields.remove("ETag")

    def weaken_etag(self) -> None:
        """Let the entity tag say that the content is the same, though not its octets."""
        etag = self.fields.get("ETag")
        if etag is not None and not etag.startswith("W/"):
            self.fields.set("ETag", f"W/{etag}")


class Sink:
    """Takes the content of one response."""

    __slots__ = ()

    async def send(self, octets: bytes) -> None:
        """Take octets; waits while whoever gets them is slow."""
        raise NotImplementedError

    async def flush(self) -> None:
        """Pass on what is held back, as far as that can be."""

    async def finish(self) -> None:
        """Take the end of the content."""


class Filter(Sink):
    """Changes the content on its way to the next sink, which the chain sets."""

    __slots__ = ("next",)

    def __init__(self) -> None:
        self.next: Sink = NOWHERE

    async def send(self, octets: bytes) -> None:
        """Take octets, and pass on what comes of them."""
        await self.next.send(octets)

    async def flush(self) -> None:
        """Pass on what is held back, as far as that can be."""
        await self.next.flush()

    async def finish(self) -> None:
        """Pass on what is left, and the end."""
        await self.next.finish()


class _Nowhere(Sink):
    """Drops what it gets."""

    __slots__ = ()

    async def send(self, octets: bytes) -> None:
        """Drop octets."""


NOWHERE = _Nowhere()


class Memory(Sink):
    """Keeps a content up to a limit; is_full says that there was more."""

    __slots__ = ("_limit_octets", "content", "is_full")

    def __init__(self, limit_octets: int) -> None:
        self._limit_octets = limit_octets
        self.content = bytearray()
        self.is_full = False

    async def send(self, octets: bytes) -> None:
        """Keep octets, as many as there is room for."""
        room = self._limit_octets - len(self.content)
        self.is_full = self.is_full or len(octets) > room
        self.content += octets[:room]
