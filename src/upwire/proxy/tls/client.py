"""What is known of a client that came over TLS."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509
from OpenSSL import SSL

from upwire.conf.model import Server
from upwire.proxy.tls.verification import Verification
from upwire.wire.tls import ClientHello


@dataclass(slots=True)
class ClientTls:
    """A client's handshake. named_server: the server that the name it asked for has led to.

    connection: OpenSSL's side, once a context is chosen. is_resumed: by a session of before.
    """

    hello: ClientHello
    named_server: Server | None
    verification: Verification = field(default_factory=Verification)
    connection: SSL.Connection | None = None
    is_resumed: bool = False

    @property
    def certificate(self) -> x509.Certificate | None:
        """The client's certificate, None where it showed none."""
        if self.connection is None:
            return None
        return self.connection.get_peer_certificate(as_cryptography=True)
