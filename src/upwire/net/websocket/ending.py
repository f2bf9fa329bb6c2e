"""How a WebSocket ended."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.errors import ConnectionClosed


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended, or will by our own Close; see ConnectionClosed."""

    code: int
    reason: str
    is_remote: bool

    @property
    def is_normal(self) -> bool:
        """Whether both sides were told."""
        return self.error().is_normal

    def error(self) -> ConnectionClosed:
        """Return a new exception: one that is raised again would gather everyone's traceback."""
        return ConnectionClosed(self.code, self.reason, is_remote=self.is_remote)
