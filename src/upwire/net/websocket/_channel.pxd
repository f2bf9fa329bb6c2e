# What other compiled modules take from _channel.py, and the layout that this needs.

from upwire.net.engine._link cimport Link
from upwire.net.engine._taker cimport Cork, Taker
from upwire.net.websocket._receiver cimport Receiver
from upwire.net.websocket.receive_queue cimport ReceiveQueue
from upwire.wire.websocket cimport Connection


cdef class Channel(Taker):
    cdef object __weakref__
    cdef public Connection _connection
    cdef public object _stream
    cdef public ReceiveQueue _queue
    cdef public object _loop
    cdef public object _callbacks
    cdef public object _lock  # while a message goes in fragments, or waits; None: never yet
    cdef public bint has_heard  # something from the peer
    cdef public object _closing  # how, where we began the closing handshake
    cdef public object _ending  # how it ended: nothing more comes
    cdef public object _rest  # from a flood of frames
    cdef public bint _is_paused  # by the application
    cdef public int _sends_in_a_row
    cdef Py_ssize_t _send_buffer_octets
    cdef Link _link  # the stream, if it is one
    cdef Cork _cork  # of its engine
    cdef public list _frames  # that went or came and were not shown
    cdef Receiver _receiver  # once somebody waited in recv()
    cdef readonly bint _is_receiving  # somebody waits there now
    cdef bint _is_batch  # the engine has called, and wakes by itself
    cdef object _look_ahead
    cdef bint _is_processing
    cdef bint _is_corked

    cdef object _take_message(self)
    cdef _see_ahead(self)
    cdef bint _is_listening(self) noexcept
    cdef _take_input(self, bint is_ahead)
    cdef bint _take_events(self, bint is_ahead)
    cdef _deliver(self, object message)
    cdef _call(self, object message, object callbacks)
    cdef _wake(self)
    cpdef bint send_prepared(self, object message)
    cdef bint _can_send(self)
    cdef bint _can_write(self)
    cdef Py_ssize_t _unsent_octets(self)
    cdef _flush_corked(self)
    cdef _write_output(self)
