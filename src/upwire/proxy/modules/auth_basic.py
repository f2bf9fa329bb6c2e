"""ngx_http_auth_basic_module: a name and a password, in the Authorization field (RFC 7617)."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os

from upwire.proxy.headers import on_one_line
from upwire.proxy.password import is_password
from upwire.proxy.request import Handled, Outcome, Request


async def check(request: Request) -> Handled:
    """Let in who is in the user file with the password given."""
    asked = request.settings.auth_basic
    if asked is None:
        return None
    realm = asked.realm.render(request.lookup)
    if realm == "off":
        return None
    credentials = read_credentials(request)
    if credentials is None:
        request.log("info", "no user/password was provided for basic authentication")
        return _challenge(request, realm)
    path = os.path.join(request.cycle.prefix, asked.user_file.render(request.lookup))
    name, password = credentials
    try:  # a file may be long, and a hash is slow on purpose: not in the loop
        is_right = await asyncio.to_thread(_is_password_of, path, name, password)
    except OSError as error:
        is_missing = isinstance(error, FileNotFoundError)
        request.log(
            "error" if is_missing else "crit",
            f'open() "{path}" failed ({error.errno}: {error.strerror})',
        )
        return 403 if is_missing else 500
    if is_right is None:
        request.log("error", f'user "{on_one_line(name)}" was not found in "{path}"')
        return _challenge(request, realm)
    if not is_right:
        request.log("error", f'user "{on_one_line(name)}": password mismatch')
        return _challenge(request, realm)
    return Outcome.ALLOWED


def read_credentials(request: Request) -> tuple[str, str] | None:
    """Return the name and the password of the Authorization field; None without such."""
    scheme, _, encoded = (request.head.headers.get("Authorization") or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        encoded = encoded.strip().partition("=")[0]  # as nginx, which needs no padding
        padding = "=" * (-len(encoded) % 4)
        text = base64.b64decode(encoded + padding, validate=True).decode("latin-1")
    except binascii.Error:
        return None
    name, colon, password = text.partition(":")
    return (name, password) if colon and name else None


def _is_password_of(path: str, name: str, password: str) -> bool | None:
    """Whether a user file has that password for a name; None where it lacks the name."""
    kept = _find(path, name)
    return None if kept is None else is_password(password, kept)


def _find(path: str, name: str) -> str | None:
    """Return what a user file has for a name, up to the next colon; the first line counts."""
    with open(path.encode("latin-1"), encoding="latin-1", newline="\n") as file:
        for line in file:
            user, colon, rest = line.rstrip("\r\n").partition(":")
            if colon and user == name and not user.startswith("#"):
                return rest.partition(":")[0]
    return None


def _challenge(request: Request, realm: str) -> int:
    value = f'Basic realm="{on_one_line(realm)}"'
    request.added_fields.append(("WWW-Authenticate", value))
    return 401
