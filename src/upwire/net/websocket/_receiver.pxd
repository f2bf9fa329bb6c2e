# What other compiled modules take from _receiver.py, and the layout that this needs.

cdef class Receiver:
    cdef public bint _asyncio_future_blocking
    cdef object _loop
    cdef object _wake_up
    cdef object _context
    cdef bint _is_waited_for
    cdef bint _is_cancelled
    cdef object _cancel_message
    cdef object _handle

    cpdef wake(self)
    cpdef step(self)
    cpdef _step(self)
