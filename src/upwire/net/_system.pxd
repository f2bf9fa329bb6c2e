# What the compiled modules of net/ call of the system: epoll(7), recv(2), send(2), shutdown(2).

cdef extern from "<sys/epoll.h>" nogil:
    ctypedef union epoll_data_t:
        void *ptr

    struct epoll_event:
        unsigned int events
        epoll_data_t data

    const unsigned int EPOLLIN
    const unsigned int EPOLLOUT
    const unsigned int EPOLLRDHUP
    const unsigned int EPOLLERR
    const unsigned int EPOLLHUP
    const unsigned int EPOLLET
    const int EPOLL_CLOEXEC
    const int EPOLL_CTL_ADD
    const int EPOLL_CTL_DEL

    int epoll_create1(int flags)
    int epoll_ctl(int epoll, int operation, int descriptor, epoll_event *event)
    int epoll_wait(int epoll, epoll_event *events, int limit, int timeout_ms)

cdef extern from "<sys/socket.h>" nogil:
    const int MSG_DONTWAIT
    const int MSG_MORE
    const int MSG_NOSIGNAL
    const int SHUT_WR

    Py_ssize_t recv(int descriptor, void *octets, size_t limit, int flags)
    Py_ssize_t send(int descriptor, const void *octets, size_t size, int flags)
    int shutdown(int descriptor, int how)
