# What other compiled modules take from _codec.py, and the layout that this needs.

cdef int _RESERVED_BIT
cdef int _RESERVED_OPCODE
cdef int _FRAGMENTED_CONTROL
cdef int _LONG_CONTROL
cdef int _MISPLACED_RSV1
cdef int _NOT_MASKED
cdef int _MASKED
cdef int _NOT_SHORTEST
cdef int _HIGHEST_BIT


cdef class FrameHead:
    cdef int refused_bits
    cdef int masking
    cdef int first
    cdef int opcode
    cdef bint is_masked
    cdef unsigned long long length

    cdef int parse(
        self, const unsigned char *octets, Py_ssize_t at, Py_ssize_t available
    ) noexcept nogil
    cdef int _check_first(self, int octet) noexcept nogil
    cdef int _check_second(self, int octet) noexcept nogil
    cdef int _read_long(
        self, const unsigned char *octets, Py_ssize_t at, int width
    ) noexcept nogil


cpdef bytes write_frame(int first, bytes payload, bytes keys, Py_ssize_t key_at)


cdef class FrameParser:
    cdef readonly int opcode
    cdef readonly bint is_final
    cdef readonly bint rsv1
    cdef readonly unsigned long long length
    cdef readonly unsigned long long remaining
    cdef FrameHead _head
    cdef bytes _owner  # of _octets, unless they are borrowed
    cdef const unsigned char *_octets
    cdef Py_ssize_t _at
    cdef Py_ssize_t _end
    cdef bytes _key

    cdef void borrow(self, const unsigned char *octets, Py_ssize_t n) noexcept
    cdef settle(self)
    cdef Py_ssize_t copy_unread(self, unsigned char *target) noexcept
    cdef _keep(self, bytes octets)
    cpdef read_message(self, unsigned long long limit_octets)
    cpdef bint read_header(self)
    cpdef bytes read_payload(self)
