# What other compiled modules take from websocket.py, and the layout that this needs.

from upwire.wire._codec cimport FrameParser


cdef class Connection:
    cdef readonly object role
    cdef readonly object state
    cdef readonly object close_code
    cdef readonly object close_reason
    cdef readonly bint closed_by_remote
    cdef readonly Py_ssize_t output_octets
    cdef object _random_octets
    cdef bytes _keys
    cdef Py_ssize_t _key_at
    cdef unsigned long long _max_message_octets
    cdef object _deflate
    cdef list _frame_log
    cdef FrameParser _parser
    cdef bint _is_input_ended
    cdef int _receiving
    cdef bint _is_deflated
    cdef bytearray _received
    cdef object _utf8
    cdef bytes _control
    cdef object _sending
    cdef bint _is_deflating
    cdef list _output

    cpdef object next_message(self)
    cpdef send_message(self, object data)
    cpdef send_prepared(self, object message)
    cpdef bytes take_output(self)
    cdef object _read_event(self)
    cdef _begin_frame(self)
    cdef Py_ssize_t _received_octets(self)
    cdef object _take_data(self, bytes octets)
    cdef object _take_control(self, bytes octets)
    cdef _check_open(self)
    cdef _append(self, int first, bytes payload)
