# OpenSSL's functions that _session.py calls, by their addresses: take_functions() comes first.

cdef extern from *:
    """
    #include <string.h>

    static struct {
        void *(*BIO_new_mem_buf)(const void *, int);
        void *(*BIO_s_mem)(void);
        void *(*BIO_new)(void *);
        long (*BIO_set_mem_eof_return)(void *, int);
        long (*BIO_get_mem_data)(void *, char **);
        int (*BIO_read)(void *, void *, int);
        int (*SSL_read)(void *, void *, int);
        int (*SSL_write)(void *, const void *, int);
        void (*SSL_set_bio)(void *, void *, void *);
        int (*SSL_get_error)(void *, int);
        int (*SSL_shutdown)(void *);
        void (*ERR_clear_error)(void);
        unsigned long (*ERR_get_error)(void);
    } openssl;

    static void take_functions(const unsigned char *addresses) {
        memcpy(&openssl, addresses, sizeof openssl);
    }

    #define BIO_new_mem_buf openssl.BIO_new_mem_buf
    #define BIO_s_mem openssl.BIO_s_mem
    #define BIO_new openssl.BIO_new
    #define BIO_set_mem_eof_return openssl.BIO_set_mem_eof_return
    #define BIO_get_mem_data openssl.BIO_get_mem_data
    #define BIO_read openssl.BIO_read
    #define SSL_read openssl.SSL_read
    #define SSL_write openssl.SSL_write
    #define SSL_set_bio openssl.SSL_set_bio
    #define SSL_get_error openssl.SSL_get_error
    #define SSL_shutdown openssl.SSL_shutdown
    #define ERR_clear_error openssl.ERR_clear_error
    #define ERR_get_error openssl.ERR_get_error
    """
    void take_functions(const unsigned char *addresses)

    void *BIO_new_mem_buf(const void *octets, int size) nogil
    void *BIO_s_mem() nogil
    void *BIO_new(void *method) nogil
    long BIO_set_mem_eof_return(void *bio, int value) nogil
    long BIO_get_mem_data(void *bio, char **octets) nogil
    int BIO_read(void *bio, void *octets, int limit) nogil
    int SSL_read(void *ssl, void *octets, int limit) nogil
    int SSL_write(void *ssl, const void *octets, int size) nogil
    void SSL_set_bio(void *ssl, void *input, void *output) nogil
    int SSL_get_error(void *ssl, int returned) nogil
    int SSL_shutdown(void *ssl) nogil
    void ERR_clear_error() nogil
    unsigned long ERR_get_error() nogil
