"""TLS as nginx's ssl_* and proxy_ssl_* directives have it, over pyOpenSSL."""
