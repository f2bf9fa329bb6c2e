# What other compiled modules take from _frame_counter.py, and the layout that this needs.

from upwire.wire._codec cimport FrameHead


cdef int _place(int opcode) noexcept nogil


cdef class FrameCounter:
    cdef readonly unsigned long long octets
    cdef readonly unsigned long long messages
    cdef readonly unsigned long long remaining
    cdef unsigned long long _limit_octets
    cdef unsigned long long _message_octets
    cdef unsigned long long _by_opcode[6]
    cdef FrameHead _head
    cdef bytes _held
    cdef int _close_code
    cdef unsigned char _first
    cdef readonly unsigned char is_malformed
    cdef readonly unsigned char is_over_limit
    cdef unsigned char _is_counting

    cpdef bytes feed(self, bytes octets)
    cpdef Py_ssize_t scan(self, const unsigned char *octets, Py_ssize_t n) noexcept nogil
    cpdef Py_ssize_t finish_frame(self, Py_ssize_t n) noexcept nogil
    cdef Py_ssize_t _begin(
        self, const unsigned char *octets, Py_ssize_t at, Py_ssize_t available
    ) noexcept nogil
    cdef bint _fits_limit(self) noexcept nogil
    cdef void _take_code(self, const unsigned char *octets, Py_ssize_t at) noexcept nogil
    cdef Py_ssize_t _pass(self, Py_ssize_t n) noexcept nogil
    cdef void _end_frame(self) noexcept nogil
