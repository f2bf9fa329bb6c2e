"""The folders of temporary files, made before the workers give up the right to make them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from upwire.errors import ConfigError, Problem
from upwire.proxy.error_log import describe_error
from upwire.proxy.privileges import Credentials


def make_folders(paths: Iterable[str], owner: Credentials | None) -> None:
    """Make each folder that is not there, and let owner write there, if that is not who we are.

    Raises ConfigError, in nginx's words.
    """
    for path in paths:
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            pass
        except OSError as error:
            raise _failed(f'mkdir() "{path}"', error) from None
        if owner is not None:
            _give(path, owner)


def _give(path: str, owner: Credentials) -> None:
    found = os.stat(path)
    try:
        if found.st_uid != owner.user_id:
            os.chown(path, owner.user_id, -1)
        if found.st_mode & stat.S_IRWXU != stat.S_IRWXU:
            os.chmod(path, stat.S_IMODE(found.st_mode) | stat.S_IRWXU)
    except OSError as error:
        raise _failed(f'chown("{path}", {owner.user_id})', error) from None


def _failed(call: str, error: OSError) -> ConfigError:
    return ConfigError([Problem(f"{call} failed {describe_error(error)}")])
