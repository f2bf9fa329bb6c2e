"""How an application's failure is logged: with its own traceback, and none of ours above it."""

from __future__ import annotations

import logging
from types import TracebackType

logger = logging.getLogger("upwire.asgi")

_OURS = __name__.partition(".")[0] + "."


def log_failure(what: str, error: BaseException) -> None:
    """Log what has failed, and where in the application."""
    logger.error("%s failed", what, exc_info=(type(error), error, _own(error.__traceback__)))


def _own(traceback: TracebackType | None) -> TracebackType | None:
    """Return the part of a traceback that begins in the application."""
    while traceback is not None and traceback.tb_frame.f_globals.get("__name__", "").startswith(
        _OURS
    ):
        traceback = traceback.tb_next
    return traceback
