# What other compiled modules take from _session.py, and the layout that this needs.

cdef class Session:
    cdef readonly bint has_ended
    cdef readonly bint has_failed
    cdef readonly unsigned long error_code
    cdef readonly Py_ssize_t taken_octets
    cdef object _owner
    cdef void *_ssl
    cdef void *_input
    cdef void *_output
    cdef int _record_octets
    cdef bint _is_output_ended

    cdef bint feed(self, const unsigned char *records, Py_ssize_t n) noexcept nogil
    cdef bint has_input(self) noexcept nogil
    cdef Py_ssize_t decrypt(self, unsigned char *content, Py_ssize_t room) noexcept nogil
    cdef Py_ssize_t encrypt(
        self, const unsigned char *content, Py_ssize_t n, unsigned char *records, Py_ssize_t room
    ) noexcept nogil
    cdef Py_ssize_t take_output(self, unsigned char *records, Py_ssize_t room) noexcept nogil
    cdef void end(self) noexcept nogil
    cdef void _judge(self, int returned) noexcept nogil
    cdef void _renew_output(self) noexcept nogil
