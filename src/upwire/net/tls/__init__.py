"""TLS: contexts of the standard library for the library, and a transport over pyOpenSSL.

The transport is for the proxy, and is imported from its own module: it takes OpenSSL's bindings.
"""

from upwire.net.tls.contexts import ALPN_PROTOCOLS, client_context, explain, server_context

__all__ = ["ALPN_PROTOCOLS", "client_context", "explain", "server_context"]
