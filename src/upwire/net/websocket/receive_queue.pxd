# What other compiled modules take from receive_queue.py, and the layout that this needs.

cdef class ReceiveQueue:
    cdef readonly list messages
    cdef readonly bint is_full
    cdef Py_ssize_t _octets
    cdef Py_ssize_t _messages_max
    cdef Py_ssize_t _octets_max
    cdef bint _is_stopped
    cdef bint _drops

    cpdef put(self, object message)
    cpdef object take(self)
