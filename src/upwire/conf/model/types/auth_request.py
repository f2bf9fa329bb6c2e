"""What ngx_http_auth_request_module does in a location."""

from __future__ import annotations

from dataclasses import dataclass

from upwire.conf.variables import Template


@dataclass(frozen=True, slots=True)
class AuthRequestSettings:
    """`auth_request`: who is asked whether a request may pass; uri "" for nobody.

    variables: the names and values of `auth_request_set`, read from the answer.
    """

    uri: str = ""
    variables: tuple[tuple[str, Template], ...] = ()
