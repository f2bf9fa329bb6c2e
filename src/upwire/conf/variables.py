"""nginx's variables, and texts that contain them, such as "$host:$server_port"."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass

from upwire.errors import ConfigError, Problem

Lookup = Callable[[str], str | None]

PREFIXES = (
    "arg_",
    "cookie_",
    "http_",
    "proxy_protocol_tlv_",
    "sent_http_",
    "sent_trailer_",
    "upstream_cookie_",
    "upstream_http_",
    "upstream_trailer_",
)

_FIXED = {  # a configuration may not define these again
    "ngx_http_core_module": """
        binary_remote_addr body_bytes_sent bytes_sent connection connection_requests
        connection_time content_length content_type document_root document_uri host hostname
        http_cookie http_host http_referer http_user_agent http_via http_x_forwarded_for https
        is_args is_request_port msec nginx_version pid pipe proxy_protocol_addr
        proxy_protocol_port proxy_protocol_server_addr proxy_protocol_server_port query_string
        realpath_root remote_addr remote_port remote_user request request_body request_body_file
        request_completion request_filename request_id request_length request_method
        request_port request_time request_uri scheme sent_http_cache_control
        sent_http_connection sent_http_content_length sent_http_content_type
        sent_http_keep_alive sent_http_last_modified sent_http_link sent_http_location
        sent_http_transfer_encoding server_addr server_name server_port server_protocol status
        tcpinfo_rcv_space tcpinfo_rtt tcpinfo_rttvar tcpinfo_snd_cwnd time_iso8601 time_local
        uri
    """,
    "ngx_http_fastcgi_module": """
        fastcgi_path_info fastcgi_script_name
    """,
    "ngx_http_geoip_module": """
        geoip_area_code geoip_city geoip_city_continent_code geoip_city_country_code
        geoip_city_country_code3 geoip_city_country_name geoip_country_code geoip_country_code3
        geoip_country_name geoip_dma_code geoip_latitude geoip_longitude geoip_org
        geoip_postal_code geoip_region geoip_region_name
    """,
    "ngx_http_grpc_module": """
        grpc_internal_trailers
    """,
    "ngx_http_gzip_filter_module": """
        gzip_ratio
    """,
    "ngx_http_limit_conn_module": """
        limit_conn_status
    """,
    "ngx_http_limit_req_module": """
        limit_req_status
    """,
    "ngx_http_proxy_module": """
        proxy_add_via proxy_add_x_forwarded_for proxy_internal_body_length
        proxy_internal_chunked
    """,
    "ngx_http_realip_module": """
        realip_remote_addr realip_remote_port
    """,
    "ngx_http_secure_link_module": """
        secure_link secure_link_expires
    """,
    "ngx_http_slice_filter_module": """
        slice_range
    """,
    "ngx_http_ssi_filter_module": """
        date_gmt date_local
    """,
    "ngx_http_stub_status_module": """
        connections_active connections_reading connections_waiting connections_writing
    """,
    "ngx_http_upstream_module": """
        upstream_addr upstream_bytes_received upstream_bytes_sent upstream_cache_etag
        upstream_cache_last_modified upstream_cache_status upstream_connect_time
        upstream_header_time upstream_response_length upstream_response_time upstream_status
    """,
    "ngx_http_userid_filter_module": """
        uid_got uid_set
    """,
    "ngx_http_v2_module": """
        http2
    """,
    "ngx_http_v3_module": """
        http3
    """,
}

_CHANGEABLE = {  # `map`, `set` and their like may take these over
    "ngx_http_browser_module": """
        ancient_browser modern_browser msie
    """,
    "ngx_http_core_module": """
        args limit_rate
    """,
    "ngx_http_proxy_module": """
        proxy_host proxy_port
    """,
    "ngx_http_referer_module": """
        invalid_referer
    """,
    "ngx_http_ssl_module": """
        ssl_alpn_protocol ssl_cipher ssl_ciphers ssl_client_cert ssl_client_escaped_cert
        ssl_client_fingerprint ssl_client_i_dn ssl_client_i_dn_legacy ssl_client_raw_cert
        ssl_client_s_dn ssl_client_s_dn_legacy ssl_client_serial ssl_client_sigalg
        ssl_client_v_end ssl_client_v_remain ssl_client_v_start ssl_client_verify ssl_curve
        ssl_curves ssl_early_data ssl_ech_outer_server_name ssl_ech_status ssl_protocol
        ssl_server_name ssl_session_id ssl_session_reused ssl_sigalg ssl_sigalgs
    """,
    "ngx_http_userid_filter_module": """
        uid_reset
    """,
}

_CAPTURES = tuple("123456789")


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable of nginx. is_changeable: `map`, `set` and their like may define it too."""

    name: str
    module: str
    is_changeable: bool = False


def _index() -> Mapping[str, Variable]:
    rows: dict[str, Variable] = {}
    for table, is_changeable in ((_FIXED, False), (_CHANGEABLE, True)):
        for module, names in table.items():
            for name in names.split():
                rows[name] = Variable(name, module, is_changeable)
    return rows


VARIABLES = _index()


def is_known(name: str, defined: Set[str] = frozenset()) -> bool:
    """Whether nginx, or the configuration that defined others, has a variable of this name."""
    return name in VARIABLES or name in defined or name.startswith(PREFIXES)


@dataclass(frozen=True, slots=True)
class Reference:
    """A variable's place in a template; name is without "$", in lower case, or a digit 1 to 9."""

    name: str


@dataclass(frozen=True, slots=True)
class Template:
    """A text whose variables are filled in for each request."""

    text: str
    parts: tuple[str | Reference, ...]

    @classmethod
    def compile(cls, text: str) -> Template:
        """Split text at its variables; raises ConfigError, without a position, for a bad name."""
        parts: list[str | Reference] = []
        at = 0
        while at < len(text):
            dollar = text.find("$", at)
            if dollar < 0:
                parts.append(text[at:])
                break
            if dollar > at:
                parts.append(text[at:dollar])
            name, at = _read_name(text, dollar + 1)
            parts.append(Reference(name))
        return cls(text, tuple(parts))

    @classmethod
    def literal(cls, text: str) -> Template:
        """Return a template that gives text as it is, "$" included."""
        return cls(text, (text,) if text else ())

    @property
    def variables(self) -> tuple[str, ...]:
        """The names referred to, in their order, repeated where they are."""
        return tuple(part.name for part in self.parts if isinstance(part, Reference))

    def render(self, lookup: Lookup) -> str:
        """Return the text with every variable replaced by lookup(name), None by nothing."""
        if len(self.parts) == 1:
            part = self.parts[0]
            return part if isinstance(part, str) else lookup(part.name) or ""
        return "".join(
            [part if isinstance(part, str) else lookup(part.name) or "" for part in self.parts]
        )


def _read_name(text: str, start: int) -> tuple[str, int]:
    """Return the name that starts behind a "$", and where the text goes on behind it.

    A capture is one digit. As ngx_http_script_compile() reads it.
    """
    if text[start : start + 1] in _CAPTURES:
        return text[start], start + 1
    is_braced = text.startswith("{", start)
    at = begin = start + is_braced
    while at < len(text) and (text[at] == "_" or (text[at].isascii() and text[at].isalnum())):
        at += 1
    name = text[begin:at].lower()
    if is_braced:
        if not text.startswith("}", at):
            raise ConfigError(
                [Problem(f'the closing bracket in "{text[begin:at]}" variable is missing')]
            )
        at += 1
    if not name:
        raise ConfigError([Problem("invalid variable name")])
    if name in _CAPTURES:  # "${1}" is no capture, and "1" no name that could be defined
        raise ConfigError([Problem(f'unknown "{name}" variable')])
    return name, at
