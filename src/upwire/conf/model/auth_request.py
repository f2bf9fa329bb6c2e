"""`auth_request` and `auth_request_set`."""

from __future__ import annotations

from upwire.conf.model.assembly import Assembly, Scope
from upwire.conf.model.types.auth_request import AuthRequestSettings


def read_auth_request(scope: Scope, assembly: Assembly) -> AuthRequestSettings:
    """Return what holds at one level; the variables are inherited apart from the path."""
    uri = scope.one("auth_request")
    return AuthRequestSettings(
        uri=uri.args[0] if uri is not None and uri.args[0] != "off" else "",
        variables=tuple(
            (line.args[0].removeprefix("$").lower(), assembly.template(line.args[1]))
            for line in scope.effective("auth_request_set")
        ),
    )
