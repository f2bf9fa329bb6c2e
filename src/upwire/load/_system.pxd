"""What _engine.py calls of the system when it is compiled: epoll(7), recv(2), send(2)."""

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        int fd

    struct epoll_event:
        unsigned int events
        epoll_data_t data

    int epoll_wait(int epoll, epoll_event* events, int limit, int timeout_ms)

cdef extern from "<sys/socket.h>" nogil:
    const int MSG_NOSIGNAL

    Py_ssize_t recv(int descriptor, void* octets, size_t limit, int flags)
    Py_ssize_t send(int descriptor, const void* octets, size_t size, int flags)
