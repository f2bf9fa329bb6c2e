"""OpenSSL contexts from a configuration: one for all servers, or locations, with equal settings.

So a client's session can be resumed at whichever of them it comes back to, as where nginx's
servers share a cache.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from OpenSSL import SSL

from upwire.conf.model import (
    ProxySslSettings,
    SessionCache,
    SslSettings,
    VerifyClient,
)
from upwire.conf.variables import Lookup
from upwire.errors import ConfigError, Problem
from upwire.net.tls.transport import describe
from upwire.proxy.tls import files
from upwire.proxy.tls.files import CannotLoad
from upwire.proxy.tls.stapling import Log, staple_file, staple_responses
from upwire.proxy.tls.verification import note

DYNAMIC_MAX = 128
"""How many contexts are kept whose certificates' names have variables, the last used ones."""

_PROTOCOLS = {
    "TLSv1": (SSL.TLS1_VERSION, SSL.OP_NO_TLSv1),
    "TLSv1.1": (SSL.TLS1_1_VERSION, SSL.OP_NO_TLSv1_1),
    "TLSv1.2": (SSL.TLS1_2_VERSION, SSL.OP_NO_TLSv1_2),
    "TLSv1.3": (SSL.TLS1_3_VERSION, SSL.OP_NO_TLSv1_3),
}
_OPTIONS = SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_SINGLE_ECDH_USE
_BINDINGS = SSL._lib  # type: ignore[attr-defined]  # private to pyOpenSSL
_OUR_PROTOCOLS = (b"http/1.1", b"http/1.0", b"http/0.9")

Files = tuple[tuple[str, str], ...]
"""Pairs of a certificate's name and its key's."""


Stamps = tuple[tuple[int, int] | None, ...]
"""Of each file: its inode and when it changed; None where it is not there."""

Settings = TypeVar("Settings", SslSettings, ProxySslSettings)


class Contexts(Generic[Settings]):
    """The contexts of a configuration, made at the start where no variable is in their files."""

    __slots__ = ("_dynamic", "_folder", "_make", "_static")

    def __init__(
        self,
        all_settings: Iterable[Settings],
        make: Callable[[Settings, Files, str], SSL.Context],
        folder: str,
    ) -> None:
        """Make them; raises ConfigError with every file that cannot be used."""
        self._folder = folder
        self._make: Callable[[Settings, Files, str], SSL.Context] = make
        self._static: dict[Settings, SSL.Context] = {}
        self._dynamic: OrderedDict[tuple[Settings, Files, Stamps], SSL.Context] = OrderedDict()
        problems: list[Problem] = []
        for settings in dict.fromkeys(all_settings):
            if any(pair.has_variables for pair in settings.certificates):
                continue
            try:
                self._static[settings] = make(settings, _files(settings, lambda _: None), folder)
            except CannotLoad as error:
                problems.append(_problem(error, settings))
        if problems:
            raise ConfigError(problems)

    def find(self, settings: Settings, lookup: Lookup) -> SSL.Context:
        """Return the context for a connection whose variables lookup gives.

        A file that has changed is read anew. Raises CannotLoad.
        """
        found = self._static.get(settings)
        if found is not None:
            return found
        pairs = _files(settings, lookup)
        key = (settings, pairs, _stamps(pairs, self._folder))
        context = self._dynamic.get(key)
        if context is None:
            context = self._dynamic[key] = self._make(settings, pairs, self._folder)
            if len(self._dynamic) > DYNAMIC_MAX:
                self._dynamic.popitem(last=False)
        self._dynamic.move_to_end(key)
        return context


def make_server_context(
    settings: SslSettings, pairs: Files, folder: str, *, log: Log
) -> SSL.Context:
    """Make the context of a server; raises CannotLoad. log: for what is wrong with stapling."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    _use_protocols(context, settings.protocols)
    context.set_options(_OPTIONS)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    if settings.prefer_server_ciphers:
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    _use_ciphers(context, settings.ciphers)
    passwords = files.read_passwords(settings.password_file, folder)
    for certificate, key in pairs:
        files.use_certificate(context, certificate, key, folder, passwords)
    if settings.dhparam is not None:
        files.use_dh_parameters(context, settings.dhparam, folder)
    _use_curves(context, settings.ecdh_curve)
    _verify_clients(context, settings, folder)
    _keep_sessions(context, settings)
    context.set_alpn_select_callback(_select_protocol)
    if settings.stapling_file is not None and settings.stapling:
        staple_file(context, files.read_response(settings.stapling_file, folder))
    elif settings.stapling:
        trusted = settings.trusted_certificate
        staple_responses(
            context,
            [files.read_certificates(certificate, folder) for certificate, _ in pairs],
            files.read_certificates(trusted, folder) if trusted is not None else (),
            log,
            responder=settings.stapling_responder,
            verifies=settings.stapling_verify,
        )
    return context


def make_client_context(settings: ProxySslSettings, pairs: Files, folder: str) -> SSL.Context:
    """Make a context for going to an upstream; raises CannotLoad."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    _use_protocols(context, settings.protocols)
    context.set_options(_OPTIONS)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    _use_ciphers(context, settings.ciphers)
    passwords = files.read_passwords(settings.password_file, folder)
    for certificate, key in pairs:
        files.use_certificate(context, certificate, key, folder, passwords)
    if settings.verify and settings.trusted_certificate is not None:
        files.trust(context, settings.trusted_certificate, folder)
        context.set_verify(SSL.VERIFY_PEER, note)
        context.set_verify_depth(settings.verify_depth)
        if settings.crl is not None:
            files.revoke(context, settings.crl, folder)
    return context


def _use_protocols(context: SSL.Context, protocols: frozenset[str]) -> None:
    """Speak exactly these; SSLv2 and SSLv3, which OpenSSL has no more, are passed over."""
    spoken = [version for name, (version, _) in _PROTOCOLS.items() if name in protocols]
    if spoken:
        context.set_min_proto_version(spoken[0])
        context.set_max_proto_version(spoken[-1])
    for name, (_, refusal) in _PROTOCOLS.items():
        if name not in protocols:
            context.set_options(refusal)


def _use_ciphers(context: SSL.Context, ciphers: str) -> None:
    try:
        context.set_cipher_list(ciphers.encode("latin-1"))
    except SSL.Error as error:
        message = f'SSL_CTX_set_cipher_list("{ciphers}") failed ({describe(error)})'
        raise CannotLoad(message) from error


def _use_curves(context: SSL.Context, curves: str) -> None:
    """Take groups for the key exchange in this order; "auto" is OpenSSL's own choice.

    pyOpenSSL itself has no list of them, so this asks the bindings below it.
    """
    if curves == "auto":
        return
    if not _BINDINGS.SSL_CTX_set1_curves_list(context._context, curves.encode("latin-1")):
        _BINDINGS.ERR_clear_error()
        raise CannotLoad(f'SSL_CTX_set1_curves_list("{curves}") failed')


def _verify_clients(context: SSL.Context, settings: SslSettings, folder: str) -> None:
    """Ask clients for certificates, and trust who may have signed them."""
    if settings.verify_client is not VerifyClient.OFF:
        context.set_verify(SSL.VERIFY_PEER, note)
        context.set_verify_depth(settings.verify_depth)
        if settings.client_certificate is not None:
            files.trust(context, settings.client_certificate, folder)
            files.name_authorities(context, settings.client_certificate, folder)
    if settings.trusted_certificate is not None:
        files.trust(context, settings.trusted_certificate, folder)
    if settings.crl is not None:
        files.revoke(context, settings.crl, folder)


def _keep_sessions(context: SSL.Context, settings: SslSettings) -> None:
    """Let sessions be resumed: by a ticket, else from this process's memory.

    A ticket keeps no chain of a client's certificate, which a resumption verifies again, so
    where certificates are asked for there are no tickets.
    """
    context.set_timeout(settings.session_timeout_s)
    context.set_session_id(b"upwire")
    has_tickets = settings.session_tickets and settings.verify_client is VerifyClient.OFF
    if not has_tickets:
        context.set_options(SSL.OP_NO_TICKET)
    is_kept = settings.session_cache in (SessionCache.BUILTIN, SessionCache.SHARED)
    in_memory = is_kept and not has_tickets
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER if in_memory else SSL.SESS_CACHE_OFF)


def _select_protocol(_: SSL.Connection, offered: list[bytes]) -> bytes:
    """Choose by our preference; an offer without any of them was refused before."""
    return next(protocol for protocol in _OUR_PROTOCOLS if protocol in offered)


def can_speak(offered: Iterable[bytes]) -> bool:
    """Whether one of the protocols that a client offers by ALPN (RFC 7301) is ours."""
    return any(protocol in _OUR_PROTOCOLS for protocol in offered)


def _files(settings: SslSettings | ProxySslSettings, lookup: Lookup) -> Files:
    """Return the names of the files; a pair whose certificate has none is left out."""
    pairs = (
        (pair.certificate.render(lookup), pair.key.render(lookup)) for pair in settings.certificates
    )
    return tuple(pair for pair in pairs if pair[0])


def _stamps(pairs: Files, folder: str) -> Stamps:
    """Return what changes when a file does."""
    found: list[tuple[int, int] | None] = []
    for name in (name for pair in pairs for name in pair):
        try:
            status = os.stat(os.path.join(folder, name))
        except (OSError, ValueError):
            found.append(None)
        else:
            found.append((status.st_ino, status.st_mtime_ns))
    return tuple(found)


def _problem(error: CannotLoad, settings: SslSettings | ProxySslSettings) -> Problem:
    at = settings.certificates[0].position if settings.certificates else settings.position
    return Problem(str(error), at.file, at.line, at.column) if at else Problem(str(error))
