"""Those who take octets out of the engine's own buffer, and send in batches.

Cython's pure Python mode; uncompiled, the same file runs.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython


@cython.cclass
class Taker:
    """Takes octets where the engine has received them; any other sink gets a bytes object."""

    @cython.cfunc
    @cython.exceptval(check=False)
    def unread_octets(self) -> cython.Py_ssize_t:
        """How many octets it was given and has not read."""
        return 0

    @cython.cfunc
    @cython.exceptval(check=False)
    def copy_unread(self, target: cython.p_uchar) -> cython.Py_ssize_t:
        """Copy what it has not read to target, and return how many octets that is."""
        return 0

    @cython.cfunc
    def receive(self, octets: cython.p_const_uchar, n: cython.Py_ssize_t) -> None:
        """Take what was unread, and what the peer sent behind it."""

    @cython.cfunc
    def send_held(self) -> None:
        """Send what was held back by a cork."""


@cython.final
@cython.cclass
class Cork:
    """Holds back what is sent while a batch of reads is handled, so that it leaves together.

    is_open: nothing is held back.
    """

    def __init__(self) -> None:
        self.is_open = True
        self._takers: list[Taker] = []

    @cython.cfunc
    def close(self) -> None:
        """Hold back from now on."""
        self.is_open = False

    @cython.cfunc
    def hold(self, taker: Taker) -> None:
        """Let it send at the end of the batch."""
        self._takers.append(taker)

    @cython.ccall
    def pull(self) -> None:
        """Send what was held back."""
        self.is_open = True
        takers, self._takers = self._takers, []
        taker: Taker
        for taker in takers:
            taker.send_held()
