"""Reading a configuration: the file, its includes, and the version of nginx it is meant for."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from upwire.conf.model import Config, build
from upwire.conf.syntax import Directive, Tree, load
from upwire.errors import ConfigError, Problem
from upwire.proxy.privileges import Credentials, find_credentials, useless_user

NGINX_VERSION = (1, 31, 5)
"""Whose defaults hold where nothing else is said."""

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")
_VERSION_COMMENT = re.compile(rb"^[ \t]*#[ \t]*upwire:[ \t]*nginx[ \t]+([\d.]+)[ \t]*\r?$", re.M)
_LAST_PATCH = 999
_OLDEST_BRANCH = (1, 13)  # of what was before, the table of directives keeps no defaults


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """A configuration, and what it was read from.

    contents: each file's octets by its name, in the order of reading. is_daemon: the file asks to
    leave the terminal; nginx does so unasked, we do not. credentials: who the workers are to be.
    """

    config: Config
    is_daemon: bool
    contents: dict[str, bytes] = field(default_factory=dict)
    credentials: Credentials | None = None
    warnings: tuple[Problem, ...] = ()


def load_file(
    path: str, *, parameters: str = "", version: tuple[int, int, int] | None = None
) -> LoadedFile:
    """Read and check the configuration at path; raises ConfigError with every fault.

    parameters: directives in front of the file (-g). version: whose defaults hold; otherwise those
    that a line `# upwire: nginx 1.22` names, or NGINX_VERSION.
    """
    contents: dict[str, bytes] = {}

    def read(name: str) -> bytes:
        contents[name] = Path(_on_disk(name)).read_bytes()
        return contents[name]

    tree = load(path, read, _expand, parameters=parameters)
    config = build(tree, version=version or named_version(contents) or NGINX_VERSION)
    user = _main_directive(tree, "user")
    return LoadedFile(
        config,
        _asks_for_daemon(tree),
        contents,
        find_credentials(user),
        (*config.warnings, *useless_user(user)),
    )


def parse_version(text: str) -> tuple[int, int, int]:
    """Return nginx's version from "1.22" or "1.22.1"; raises ValueError for anything else.

    Without a third number it is the last of its branch.
    """
    match = _VERSION.fullmatch(text)
    if match is not None:
        branch = int(match[1]), int(match[2])
        if _OLDEST_BRANCH <= branch <= NGINX_VERSION[:2]:
            return *branch, int(match[3]) if match[3] else _LAST_PATCH
    oldest, newest = (".".join(map(str, one)) for one in (_OLDEST_BRANCH, NGINX_VERSION))
    raise ValueError(
        f'"{text}" is no version of nginx that can be named: {oldest} to {newest}, such as 1.22'
    )


def named_version(contents: Mapping[str, bytes]) -> tuple[int, int, int] | None:
    """Return what a line `# upwire: nginx 1.22` says; raises ConfigError where it is no version.

    contents: each file's octets by its name.
    """
    for name, octets in contents.items():
        if match := _VERSION_COMMENT.search(octets):
            try:
                return parse_version(match[1].decode())
            except ValueError as error:
                line = octets.count(b"\n", 0, match.start()) + 1
                raise ConfigError([Problem(str(error), name, line)]) from None
    return None


def _asks_for_daemon(tree: Tree) -> bool:
    daemon = _main_directive(tree, "daemon")
    return daemon is not None and daemon.args == ("on",)


def _main_directive(tree: Tree, name: str) -> Directive | None:
    return next((one for one in tree.directives if one.name == name), None)


def _expand(pattern: str) -> Iterator[str]:
    """Return the names that fit a pattern, as names in a configuration are written."""
    for name in glob.iglob(_on_disk(pattern)):
        yield name.encode("utf-8", "surrogateescape").decode("latin-1")


def _on_disk(name: str) -> str:
    """Return the file's name as Python gives it to the system; the model's is latin-1."""
    return name.encode("latin-1").decode("utf-8", "surrogateescape")
