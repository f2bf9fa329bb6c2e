"""Which nginx a configuration is for."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from functools import cache

from upwire.conf.directives import Version
from upwire.proxy.load import named_version, parse_version

_ANSWER = re.compile(r"\w+/(\d+\.\d+\.\d+)")  # openresty/1.25.3.2 has nginx's number in front
_ANSWER_TIMEOUT_S = 5.0
_ANY_PATCH = 999  # what parse_version() makes of "1.22"


def target_version(
    named: str | None, sources: Mapping[str, str], *, is_here: bool = True
) -> Version | None:
    """Return the version that the command line names, or a comment, or that is installed.

    None: nobody says. is_here: what is installed here is what reads the files. Raises
    ConfigError for a comment that names no version.
    """
    if named is not None:
        return parse_version(named)
    octets = {name: text.encode("latin-1") for name, text in sources.items()}
    return named_version(octets) or (_installed_version() if is_here else None)


def show_version(version: Version) -> str:
    """Return a version as people write it, a branch without its last number."""
    return ".".join(map(str, version[:2] if version[2] == _ANY_PATCH else version))


def _installed_version() -> Version | None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    return _version_of(nginx) if nginx is not None else None


@cache
def _version_of(nginx: str) -> Version | None:
    """Return what a program says of itself, asked once."""
    try:
        answer = subprocess.run(
            [nginx, "-v"], capture_output=True, timeout=_ANSWER_TIMEOUT_S, check=False
        )
        found = _ANSWER.search(answer.stderr.decode("utf-8", "replace"))
        return parse_version(found[1]) if found else None
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
