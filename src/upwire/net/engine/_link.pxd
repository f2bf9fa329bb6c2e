# What other compiled modules take from _link.py, and the layout that this needs.

from upwire.net.engine._taker cimport Taker


cdef class Link:
    cdef readonly int descriptor
    cdef readonly object peer_address
    cdef readonly object local_address
    cdef readonly object sink
    cdef Taker _taker  # the sink, if it is one
    cdef public object on_room
    cdef readonly bint is_eof
    cdef readonly bint is_closed  # or lost: nothing can be sent or received
    cdef bint is_ending  # the peer's end was announced: a short read is not the last
    cdef bint is_queued  # for the engine's next turn
    cdef object _engine
    cdef bytearray _waiting  # what the peer does not take yet
    cdef bint _is_readable  # until a receive says otherwise
    cdef bint _is_writable
    cdef bint _is_paused
    cdef bint _is_blocked  # more than enough waits
    cdef bint _is_ended  # our direction
    cdef bint _is_end_near
    cdef bint _is_cut  # from this side
    cdef bint _is_lost  # the socket is given up,
    cdef bint _is_over  # and those who wait were told
    cdef object _error
    cdef list _drainers
    cdef list _closers
    cdef object _close_timer
    cdef Py_ssize_t _left_octets

    cdef void note_events(self, unsigned int events) noexcept
    cdef bint can_receive(self) noexcept
    cdef void note_drained(self) noexcept
    cdef deliver(self, bytes octets)
    cdef end_input(self)
    cdef send_waiting(self)
    cdef lose(self, int error_number)
    cdef bint can_write(self) noexcept
    cpdef write(self, bytes octets)
    cdef void announce_end(self) noexcept
    cdef Py_ssize_t _waiting_octets(self) noexcept
    cdef Py_ssize_t _send(self, const unsigned char *octets, Py_ssize_t n)
    cdef _end_output(self)
    cdef _cut(self)
    cdef _leave(self)
    cdef _tell_loss(self)
    cdef _wake_drainers(self)
    cdef void _close(self) noexcept
