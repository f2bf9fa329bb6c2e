# What other compiled modules take from _taker.py, and the layout that this needs.

cdef class Taker:
    cdef Py_ssize_t unread_octets(self) noexcept
    cdef Py_ssize_t copy_unread(self, unsigned char *target) noexcept
    cdef receive(self, const unsigned char *octets, Py_ssize_t n)
    cdef send_held(self)


cdef class Cork:
    cdef readonly bint is_open
    cdef list _takers

    cdef close(self)
    cdef hold(self, Taker taker)
    cpdef pull(self)
