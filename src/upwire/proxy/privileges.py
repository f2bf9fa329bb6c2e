"""The `user` directive: who the workers are, once a master that root started has made them."""

from __future__ import annotations

# asyncio, codecs and dnspython import these at their first use, when a worker may be a user that
# cannot read the Python of root.
import concurrent.futures.thread  # noqa: F401
import encodings.ascii
import encodings.idna
import encodings.latin_1  # noqa: F401
import grp
import os
import pwd
from dataclasses import dataclass

import dns.rdtypes.ANY.CNAME
import dns.rdtypes.IN.A
import dns.rdtypes.IN.AAAA
import dns.rdtypes.IN.SRV  # noqa: F401

from upwire.conf.syntax import Directive
from upwire.errors import ConfigError, Problem

_NOBODY = "nobody"
_GROUPS_OF_NOBODY = ("nobody", "nogroup")  # the BSDs and Red Hat; Debian

_NOT_ROOT = (
    'the "user" directive makes sense only if the master process runs with super-user privileges,'
    " ignored"
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A user of the system, and the group that goes with it."""

    name: str
    user_id: int
    group_id: int

    def assume(self) -> None:
        """Become that user, for good; raises OSError."""
        os.setgid(self.group_id)
        os.initgroups(self.name, self.group_id)
        os.setuid(self.user_id)


def find_credentials(directive: Directive | None) -> Credentials | None:
    """Return who the workers are to be, nobody where root does not say; None if we are not root.

    Raises ConfigError, in nginx's words, for a user or a group that the system does not have.
    """
    if os.geteuid() != 0:
        return None
    if directive is None:
        user = _find_user(_NOBODY, None)
        return Credentials(_NOBODY, user.pw_uid, _group_of_nobody(user))
    name = directive.args[0]
    user = _find_user(name, directive)
    group = directive.args[1] if directive.args[1:] else name
    return Credentials(name, user.pw_uid, _find_group(group, directive))


def useless_user(directive: Directive | None) -> list[Problem]:
    """Return nginx's warning for a `user` that cannot have an effect."""
    if directive is None or os.geteuid() == 0:
        return []
    place = directive.position
    return [Problem(_NOT_ROOT, place.file, place.line, place.column, "warn")]


def _find_user(name: str, directive: Directive | None) -> pwd.struct_passwd:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise _not_found("getpwnam", name, directive) from None


def _find_group(name: str, directive: Directive) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise _not_found("getgrnam", name, directive) from None


def _group_of_nobody(user: pwd.struct_passwd) -> int:
    for name in _GROUPS_OF_NOBODY:
        try:
            return grp.getgrnam(name).gr_gid
        except KeyError:
            continue
    return user.pw_gid


def _not_found(call: str, name: str, directive: Directive | None) -> ConfigError:
    message = f'{call}("{name}") failed'
    if directive is None:
        return ConfigError([Problem(message)])
    place = directive.position
    return ConfigError([Problem(message, place.file, place.line, place.column)])
