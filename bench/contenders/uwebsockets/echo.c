/* Echo with uWebSockets in C++, through the C interface that socketify's wheel has of it:
 * `echo PORT [deflate]`. The declarations are those of that interface. */

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define DEDICATED_COMPRESSOR_256KB (15 << 4 | 8)
#define DEDICATED_DECOMPRESSOR_32KB (15 << 8)

struct us_socket_context_options_t {
    const char *key_file_name, *cert_file_name, *passphrase, *dh_params_file_name, *ca_file_name;
    const char *ssl_ciphers;
    int ssl_prefer_low_memory_usage;
};

typedef struct {
    int port;
    const char *host;
    int options;
} uws_app_listen_config_t;

typedef void (*message_handler)(void *ws, const char *message, size_t size, int opcode, void *user);

typedef struct {
    int compression;
    unsigned int maxPayloadLength;
    unsigned short idleTimeout;
    unsigned int maxBackpressure;
    bool closeOnBackpressureLimit, resetIdleTimeoutOnSend, sendPingsAutomatically;
    unsigned short maxLifetime;
    void *upgrade, *open;
    message_handler message;
    void *drain, *ping, *pong, *close, *subscription;
} uws_socket_behavior_t;

void *uws_create_app(int ssl, struct us_socket_context_options_t options);
void uws_ws(int ssl, void *app, const char *pattern, uws_socket_behavior_t behavior, void *user);
int uws_ws_send_with_options(int ssl, void *ws, const char *message, size_t size, int opcode,
                             bool compress, bool fin);
void uws_app_listen_with_config(int ssl, void *app, uws_app_listen_config_t config,
                                void (*handler)(void *socket, uws_app_listen_config_t config,
                                                void *user),
                                void *user);
void uws_app_run(int ssl, void *app);

static bool deflates;

static void echo(void *ws, const char *message, size_t size, int opcode, void *user) {
    uws_ws_send_with_options(0, ws, message, size, opcode, deflates, true);
}

static void check(void *socket, uws_app_listen_config_t config, void *user) {
    if (socket == NULL) {
        exit(1);
    }
}

int main(int count, char **arguments) {
    struct us_socket_context_options_t plain = {0};
    void *app = uws_create_app(0, plain);
    uws_socket_behavior_t behavior = {
        .maxPayloadLength = 16 << 20, .idleTimeout = 120, .maxBackpressure = 16 << 20,
        .resetIdleTimeoutOnSend = true, .message = echo};
    uws_app_listen_config_t place = {.port = atoi(arguments[1]), .host = "127.0.0.1"};
    deflates = count > 2;
    if (deflates) {
        behavior.compression = DEDICATED_COMPRESSOR_256KB | DEDICATED_DECOMPRESSOR_32KB;
    }
    uws_ws(0, app, "/", behavior, NULL);
    uws_app_listen_with_config(0, app, place, check, NULL);
    uws_app_run(0, app);
    return 0;
}
