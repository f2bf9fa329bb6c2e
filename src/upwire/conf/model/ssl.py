"""ngx_http_ssl_module: TLS of a server, and what the proxy module says of TLS to upstreams."""

from __future__ import annotations

from itertools import zip_longest

from upwire.conf.model.assembly import Assembly, Scope, Wrong
from upwire.conf.model.types import (
    CertificatePair,
    ProxyPass,
    ProxySslSettings,
    SessionCache,
    SslSettings,
    VerifyClient,
)
from upwire.conf.syntax import Directive, Position
from upwire.conf.values import parse_number, parse_size, parse_time

_CACHE_OCTETS_MIN = 8 * 4096
_DEFAULT_PROTOCOLS = frozenset({"TLSv1.2", "TLSv1.3"})


def read_ssl(scope: Scope, at: Position, assembly: Assembly) -> SslSettings:
    """Return the settings of a server that begins at a place.

    Without a certificate nginx looks at nothing else but whether clients are to be verified, and
    neither do we.
    """
    certificates = _read_certificates(scope, assembly)
    rejects_handshake = scope.flag("ssl_reject_handshake")
    verify_client = VerifyClient(scope.text("ssl_verify_client").lower())
    if not certificates and not rejects_handshake:
        return SslSettings(verify_client=verify_client, position=at)
    settings = SslSettings(
        certificates=certificates,
        rejects_handshake=rejects_handshake,
        password_file=_file(scope, "ssl_password_file"),
        protocols=_read_protocols(scope, "ssl_protocols"),
        ciphers=scope.text("ssl_ciphers"),
        prefer_server_ciphers=scope.flag("ssl_prefer_server_ciphers"),
        ecdh_curve=scope.text("ssl_ecdh_curve"),
        dhparam=_file(scope, "ssl_dhparam"),
        session_cache=_read_session_cache(scope, assembly),
        session_timeout_s=int(parse_time(scope.text("ssl_session_timeout"), least_is_seconds=True)),
        session_tickets=scope.flag("ssl_session_tickets"),
        verify_client=verify_client,
        verify_depth=scope.number("ssl_verify_depth"),
        client_certificate=_file(scope, "ssl_client_certificate"),
        trusted_certificate=_file(scope, "ssl_trusted_certificate"),
        crl=_file(scope, "ssl_crl"),
        buffer_octets=scope.octets("ssl_buffer_size"),
        stapling=scope.flag("ssl_stapling"),
        stapling_file=_file(scope, "ssl_stapling_file"),
        stapling_responder=_file(scope, "ssl_stapling_responder"),
        stapling_verify=scope.flag("ssl_stapling_verify"),
        position=at,
    )
    _check_verification(scope, settings, assembly)
    return settings


def _read_certificates(scope: Scope, assembly: Assembly) -> tuple[CertificatePair, ...]:
    """Return the pairs in their order; a certificate without a key is a fault."""
    certificates = scope.effective("ssl_certificate")
    keys = scope.effective("ssl_certificate_key")
    if len(keys) < len(certificates):
        last = certificates[-1]
        message = f'no "ssl_certificate_key" is defined for certificate "{last.args[0]}"'
        assembly.missing(message, last.position)
    return tuple(
        CertificatePair(
            assembly.template(certificate.args[0]),
            assembly.template(key.args[0] if key is not None else ""),
            certificate.position,
        )
        for certificate, key in zip_longest(certificates, keys[: len(certificates)])
        if certificate is not None
    )


def _read_protocols(scope: Scope, name: str) -> frozenset[str]:
    lines = scope.effective(name)
    return frozenset(word for line in lines for word in line.args) or _DEFAULT_PROTOCOLS


def _read_session_cache(scope: Scope, assembly: Assembly) -> SessionCache:
    """Return the cache that counts: a shared one goes before all others."""
    directive = scope.one("ssl_session_cache")
    if directive is None:
        return SessionCache.NONE
    return assembly.read(read_session_cache, directive) or SessionCache.NONE


def read_session_cache(directive: Directive, assembly: Assembly) -> SessionCache:
    """Read one `ssl_session_cache`; the sizes are checked, and not kept."""
    kinds = [
        _read_cache(text, at)
        for text, at in zip(directive.args, directive.arg_positions, strict=True)
    ]
    return SessionCache.SHARED if SessionCache.SHARED in kinds else kinds[-1]


def _read_cache(text: str, at: Position) -> SessionCache:
    kind, colon, rest = text.partition(":")
    try:
        if not colon:
            if kind in ("off", "none", "builtin"):
                return SessionCache(kind)
        elif kind == "builtin":
            parse_number(rest)
            return SessionCache.BUILTIN
        elif kind == "shared":
            name, colon, size = rest.partition(":")
            if name and colon:
                if parse_size(size) < _CACHE_OCTETS_MIN:
                    raise Wrong(f'session cache "{text}" is too small', at)
                return SessionCache.SHARED
    except ValueError:
        pass
    raise Wrong(f'invalid session cache "{text}"', at)


def check_certificate_cache(directive: Directive, assembly: Assembly) -> bool:
    """Check the parameters of `ssl_certificate_cache` and its like."""
    has_max = is_off = False
    for text, at in zip(directive.args, directive.arg_positions, strict=True):
        name, _, value = text.partition("=")
        try:
            if name == "max" and parse_number(value) > 0:
                has_max = True
            elif name in ("inactive", "valid") and "=" in text:
                parse_time(value, least_is_seconds=True)
            elif text == "off":
                is_off = True
            else:
                raise ValueError(text)
        except ValueError:
            raise Wrong(f'invalid parameter "{text}"', at) from None
    if not has_max and not is_off:
        message = f'"{directive.name}" must have the "max" parameter'
        raise Wrong(message, directive.position)
    return True


def _check_verification(scope: Scope, settings: SslSettings, assembly: Assembly) -> None:
    """Refuse to verify clients against nothing."""
    trusted = settings.client_certificate or settings.trusted_certificate
    verifies = settings.verify_client in (VerifyClient.ON, VerifyClient.OPTIONAL)
    line = scope.one("ssl_verify_client")
    if verifies and not trusted and line is not None:
        message = "no ssl_client_certificate or ssl_trusted_certificate for ssl_verify_client"
        assembly.missing(message, line.position)
    ocsp = scope.one("ssl_ocsp")
    no_ca = settings.verify_client is VerifyClient.OPTIONAL_NO_CA
    if ocsp is not None and ocsp.args[0] != "off" and no_ca:
        message = '"ssl_ocsp" is incompatible with "ssl_verify_client optional_no_ca"'
        assembly.missing(message, ocsp.position)


def read_proxy_ssl(scope: Scope, passed: ProxyPass | None, assembly: Assembly) -> ProxySslSettings:
    """Return the settings that hold at one level; they are checked where it goes to https://."""
    name = scope.one("proxy_ssl_name")
    is_used = passed is not None and passed.scheme == "https"
    settings = ProxySslSettings(
        name=assembly.template(name.args[0]) if name is not None else None,
        server_name=scope.flag("proxy_ssl_server_name"),
        verify=scope.flag("proxy_ssl_verify"),
        verify_depth=scope.number("proxy_ssl_verify_depth"),
        trusted_certificate=_file(scope, "proxy_ssl_trusted_certificate"),
        crl=_file(scope, "proxy_ssl_crl"),
        certificates=_read_proxy_certificate(scope, assembly, is_used=is_used),
        password_file=_file(scope, "proxy_ssl_password_file"),
        protocols=_read_protocols(scope, "proxy_ssl_protocols"),
        ciphers=scope.text("proxy_ssl_ciphers"),
        session_reuse=scope.flag("proxy_ssl_session_reuse"),
        position=passed.position if passed is not None else None,
    )
    verify = scope.one("proxy_ssl_verify")
    if is_used and settings.verify and not settings.trusted_certificate and verify is not None:
        message = "no proxy_ssl_trusted_certificate for proxy_ssl_verify"
        assembly.missing(message, verify.position)
    return settings


def _read_proxy_certificate(
    scope: Scope, assembly: Assembly, *, is_used: bool
) -> tuple[CertificatePair, ...]:
    """Return the pair, if there is one; an empty name undoes that of a level above."""
    certificate = scope.one("proxy_ssl_certificate")
    key = scope.one("proxy_ssl_certificate_key")
    if certificate is None or not certificate.args[0]:
        return ()
    if key is not None:
        templates = assembly.template(certificate.args[0]), assembly.template(key.args[0])
        return (CertificatePair(*templates, certificate.position),)
    if is_used:
        message = 'no "proxy_ssl_certificate_key" is defined for certificate '
        assembly.missing(f'{message}"{certificate.args[0]}"', certificate.position)
    return ()


def _file(scope: Scope, name: str) -> str | None:
    """Return a file's name; None where there is none, or an empty one undoes a level above."""
    directive = scope.one(name)
    return directive.args[0] or None if directive is not None else None
