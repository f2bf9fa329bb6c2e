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


cdef class _FrameHead:
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


cdef int _place(int opcode) noexcept nogil


cpdef bytes write_frame(int first, bytes payload, bytes keys, Py_ssize_t key_at)


cdef class FrameParser:
    cdef readonly int opcode
    cdef readonly bint is_final
    cdef readonly bint rsv1
    cdef readonly unsigned long long length
    cdef readonly unsigned long long remaining
    cdef _FrameHead _head
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


cdef class FrameCounter:
    cdef readonly unsigned long long octets
    cdef readonly unsigned long long messages
    cdef readonly unsigned long long remaining
    cdef unsigned long long _limit_octets
    cdef unsigned long long _message_octets
    cdef unsigned long long _by_opcode[6]
    cdef _FrameHead _head
    cdef bytes _held
    cdef int _close_code
    cdef unsigned char _first
    cdef readonly bint is_malformed
    cdef readonly bint is_over_limit
    cdef bint _is_counting

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
