# cython: boundscheck=False, wraparound=False, cdivision=True
"""Content to records and back, by OpenSSL's own calls and without the GIL.

pyOpenSSL shakes hands (transport.py); of what follows, a call of Python's for each record costs
more than the cipher. cryptography's bindings tell where OpenSSL's functions are: the library in
its wheels has no symbols to link with.

Cython's pure Python mode; uncompiled, the file can be imported and no session is to be had.
"""

# Cython has no types for its decorators, so a function of this file is untyped to mypy.
# mypy: disable-error-code="untyped-decorator, no-any-return"

from __future__ import annotations

import struct

from OpenSSL import SSL

try:
    import cython  # the compiler looks for this very line
except ModuleNotFoundError:
    from upwire.wire import _cython as cython

if cython.compiled:
    from cython.cimports.upwire.net.tls._openssl import (
        BIO_get_mem_data,
        BIO_new,
        BIO_new_mem_buf,
        BIO_read,
        BIO_s_mem,
        BIO_set_mem_eof_return,
        ERR_clear_error,
        ERR_get_error,
        SSL_get_error,
        SSL_read,
        SSL_set_bio,
        SSL_shutdown,
        SSL_write,
        take_functions,
    )

RECORD_ROOM_OCTETS = 16384
"""What the content of one record takes at most (RFC 8446 §5.1)."""

RECORD_COST_OCTETS = 256
"""The most that header, nonce, padding and tag add to a record, of any cipher."""

_RECORD_ROOM = cython.declare(cython.Py_ssize_t, RECORD_ROOM_OCTETS)
_RECORD_COST = cython.declare(cython.Py_ssize_t, RECORD_COST_OCTETS)
_KEPT_OCTETS = cython.declare(cython.Py_ssize_t, 2048)  # content whose buffer may stay
_WANT_READ = cython.declare(cython.int, 2)  # of SSL_get_error()
_ZERO_RETURN = cython.declare(cython.int, 6)

_NAMES = (  # as they stand in _openssl.pxd
    "BIO_new_mem_buf",
    "BIO_s_mem",
    "BIO_new",
    "BIO_set_mem_eof_return",
    "BIO_get_mem_data",
    "BIO_read",
    "SSL_read",
    "SSL_write",
    "SSL_set_bio",
    "SSL_get_error",
    "SSL_shutdown",
    "ERR_clear_error",
    "ERR_get_error",
)


def addresses_of(names: tuple[str, ...]) -> list[int]:
    """Return where functions of pyOpenSSL's OpenSSL are; none where one is not to be had.

    These bindings are private to cryptography, and another version may have none.
    """
    try:
        from cryptography.hazmat.bindings._rust import _openssl

        ffi, lib = _openssl.ffi, _openssl.lib
        return [int(ffi.cast("uintptr_t", ffi.addressof(lib, name))) for name in names]
    except (ImportError, AttributeError):
        return []


def _address(pointer: object) -> int:
    return int(SSL._ffi.cast("uintptr_t", pointer))  # type: ignore[attr-defined]  # private


def _load() -> bool:
    """Take OpenSSL's functions; return whether there are sessions."""
    addresses = addresses_of(_NAMES)
    if not cython.compiled or not addresses:
        return False
    take_functions(struct.pack(f"{len(addresses)}P", *addresses))
    return True


_IS_AVAILABLE = _load()


def is_available() -> bool:
    """Whether a `Session` can be made."""
    return _IS_AVAILABLE


@cython.final
@cython.no_gc
@cython.cclass
class Session:
    """A session whose handshake is over, taken from a connection of pyOpenSSL's.

    That connection is not to be read, written or fed any more; what it was fed comes first here.
    record_octets: how much content to put into one record.

    has_ended: the peer's closure alert came. has_failed: nothing goes through any more, for the
    reason error_code in OpenSSL's numbers. taken_octets: of the last `encrypt()`.

    Whoever has the octets calls `feed()`, then `decrypt()` as long as `has_input()`, and sends
    what `take_output()` gives after each of them.
    """

    def __init__(self, connection: SSL.Connection, record_octets: int) -> None:
        self._owner = (connection._ssl, connection.get_context())
        ssl: cython.size_t = _address(connection._ssl)
        fed: cython.size_t = _address(connection._into_ssl)
        self._ssl = cython.cast(cython.p_void, ssl)
        self._input = cython.cast(cython.p_void, fed)
        self._record_octets = record_octets
        self._is_output_ended = False
        self.has_ended = self.has_failed = False
        self.error_code = 0
        self.taken_octets = 0
        self._output = BIO_new(BIO_s_mem())
        if self._output == cython.NULL:
            raise MemoryError
        SSL_set_bio(self._ssl, self._input, self._output)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def feed(self, records: cython.p_const_uchar, n: cython.Py_ssize_t) -> cython.bint:
        """Let `decrypt()` go on with n octets of records, which stay where they are until then.

        False where there is no memory.
        """
        given: cython.p_void = BIO_new_mem_buf(records, n)
        if given == cython.NULL:
            return False
        BIO_set_mem_eof_return(given, -1)  # behind them is no end: more may come
        self._input = given
        SSL_set_bio(self._ssl, given, self._output)
        return True

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def has_input(self) -> cython.bint:
        """Whether `decrypt()` has something to do; half a record is with OpenSSL then."""
        is_over: cython.bint = self.has_ended or self.has_failed
        return not is_over and BIO_get_mem_data(self._input, cython.NULL) > 0

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def decrypt(self, content: cython.p_uchar, room: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Write content, as long as there is room for a whole record's; return its octets.

        OpenSSL is not asked again where it has all: to say that it wants more takes it as long
        as a small record.
        """
        filled: cython.Py_ssize_t = 0
        got: cython.int
        ERR_clear_error()
        while room - filled >= _RECORD_ROOM and self.has_input():
            got = SSL_read(self._ssl, content + filled, _RECORD_ROOM)
            if got > 0:
                filled += got
            else:
                self._judge(got)
        return filled

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def encrypt(
        self,
        content: cython.p_const_uchar,
        n: cython.Py_ssize_t,
        records: cython.p_uchar,
        room: cython.Py_ssize_t,
    ) -> cython.Py_ssize_t:
        """Write records of content, as many as there is room for; return their octets."""
        filled: cython.Py_ssize_t = 0
        wrote: cython.int
        self.taken_octets = 0
        ERR_clear_error()
        while self.taken_octets < n and room - filled >= self._record_octets + _RECORD_COST:
            wrote = SSL_write(
                self._ssl,
                content + self.taken_octets,
                min(n - self.taken_octets, self._record_octets),
            )
            if wrote <= 0:
                self._judge(wrote)
                break
            self.taken_octets += wrote
            filled += self.take_output(records + filled, room - filled)
        if self.taken_octets > _KEPT_OCTETS:
            self._renew_output()
        return filled

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def take_output(self, records: cython.p_uchar, room: cython.Py_ssize_t) -> cython.Py_ssize_t:
        """Write what OpenSSL has to say to the peer; return its octets."""
        if BIO_get_mem_data(self._output, cython.NULL) <= 0:
            return 0
        return BIO_read(self._output, records, room)

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def end(self) -> cython.void:
        """Put the closure alert behind what was encrypted (RFC 8446 §6.1), once."""
        if not self._is_output_ended and not self.has_failed:
            self._is_output_ended = True
            SSL_shutdown(self._ssl)
            ERR_clear_error()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _judge(self, returned: cython.int) -> cython.void:
        """Note why a call of OpenSSL's did nothing; that it wants more octets is no reason."""
        kind: cython.int = SSL_get_error(self._ssl, returned)
        if kind == _ZERO_RETURN:
            self.has_ended = True
        elif kind != _WANT_READ:
            self.has_failed = True
            self.error_code = ERR_get_error()
            ERR_clear_error()

    @cython.cfunc
    @cython.nogil
    @cython.exceptval(check=False)
    def _renew_output(self) -> cython.void:
        """Give back the buffer of large records, which OpenSSL keeps otherwise."""
        output: cython.p_void = BIO_new(BIO_s_mem())
        if output != cython.NULL:
            self._output = output
            SSL_set_bio(self._ssl, self._input, output)
