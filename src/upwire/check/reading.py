"""What is to be checked: the files, read as tolerantly as people's folders need it."""

from __future__ import annotations

import errno
import fnmatch
import glob
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from upwire.check.dump import split_dump
from upwire.check.masking import Masked, mask
from upwire.conf.directives import TABLE
from upwire.conf.syntax import Directive, Tree, load
from upwire.errors import LocalProtocolError

DEFAULTS = ("nginx.conf", "/etc/nginx/nginx.conf")
STANDARD_INPUT = "-"

_PARTS = (
    *("sites-enabled", "sites-available", "conf.d", "http.d", "vhosts.d", "snippets"),
    *("streams-enabled", "stream.d"),
)
"""Folders of files that nginx.conf, in the folder above, includes."""

_WANTED = ("*.conf", "*.conf.template", "sites-enabled/*", "conf.d/*.conf", "http.d/*.conf")
_SHIPPED = (
    *("mime.types", "fastcgi_params", "fastcgi.conf", "uwsgi_params", "scgi_params"),
    *("koi-utf", "koi-win", "win-utf"),
)
"""Files that come with nginx: where they are not here, nothing that is judged is missing."""

_FILES_MAX = 2000  # of one configuration: includes can multiply
_FILE_OCTETS_MAX = 32 << 20


@dataclass(frozen=True, slots=True)
class Reading:
    """A configuration as it was read, its includes among it.

    path: the file that it began with, "-" for standard input. folder: what relative names are
    below. sources: each file's text as it is, by the name it was opened with. masked: what was
    parsed of it. unread: the files that could not be read, and why. is_dump: it is what
    `nginx -T` printed, and its files are not those of this machine.
    """

    path: str
    folder: str
    tree: Tree
    sources: Mapping[str, str]
    masked: Mapping[str, Masked]
    unread: Mapping[str, OSError]
    is_dump: bool = False

    @property
    def is_template(self) -> bool:
        """Whether something is to be put in before nginx reads it."""
        return any(masked.holes for masked in self.masked.values())

    @property
    def is_nginx(self) -> bool:
        """Whether it can be meant for nginx: it parses, or a quarter of what it says is known."""
        if not self.tree.faults.problems():
            return True
        lines = (line.split() for line in self.masked[self.path].text.split("\n"))
        is_line_known = _are_known([words[0] for words in lines if words])
        return is_line_known or _are_known([line.name for line in self.tree.directives])

    def unread_includes(self) -> Iterator[tuple[Directive, OSError]]:
        """Yield each `include` of a file that could not be read, and why."""
        for line in _includes(self.tree.directives) if self.unread else ():
            pattern = self.below(line.args[0])
            for name, error in self.unread.items():
                if name == pattern or fnmatch.fnmatchcase(name, pattern):
                    yield line, error
                    break

    def below(self, name: str) -> str:
        """Return the path of a name that the configuration has."""
        return name if name.startswith("/") or not self.folder else f"{self.folder}/{name}"


def find_files(path: str | None, prefix: str | None = None) -> list[str]:
    """Return the files to check, each on its own, for a path of the command line.

    Of a folder: its nginx.conf, or else each file that looks like a part of one. Raises
    LocalProtocolError where there is none.
    """
    if path == STANDARD_INPUT:
        return [path]
    if path is None:
        path = _default(prefix)
    elif prefix is not None:
        path = os.path.join(prefix, path)
    if not os.path.isdir(path):
        return [path]
    whole = os.path.join(path, "nginx.conf")
    if os.path.isfile(whole):
        return [whole]
    patterns = ("*",) if _folder_name(path) in _PARTS else _WANTED
    found = {one for pattern in patterns for one in _below(path, pattern)}
    if not found:
        raise LocalProtocolError(f"{path}: no nginx.conf, and no *.conf, in this folder")
    return sorted(found)


def read(
    path: str, *, prefix: str | None = None, instead: Mapping[str, str] | None = None
) -> Reading:
    """Read a file and what it includes; raises LocalProtocolError where it cannot be read itself.

    prefix: the folder that relative names are below. instead: texts to take for the files' own.
    """
    reader = _Reader(instead or {})
    name = in_latin_1(path)
    try:
        reader.open(name)
    except OSError as error:
        raise LocalProtocolError(f"{path}: {error.strerror or error}") from None
    if parts := split_dump(reader.sources[name]):
        return _read_dump(parts)
    folder = in_latin_1(prefix if prefix is not None else _folder_of(path))
    tree = load(name, reader.read, expand, folder=folder)
    return Reading(name, folder, tree, reader.sources, reader.masked, reader.unread)


def _read_dump(parts: Mapping[str, str]) -> Reading:
    """Read what `nginx -T` printed: the files in it, and none of this machine."""
    reader = _Reader(parts, is_closed=True)
    first = next(iter(parts))
    folder = os.path.dirname(first)

    def fit(pattern: str) -> list[str]:
        depth = pattern.count("/")
        return [name for name in fnmatch.filter(parts, pattern) if name.count("/") == depth]

    tree = load(first, reader.read, fit, folder=folder)
    return Reading(first, folder, tree, reader.sources, reader.masked, reader.unread, is_dump=True)


def refuse_others(readings: Sequence[Reading]) -> list[Reading]:
    """Return those that are nginx's; raises LocalProtocolError where none is."""
    found = [reading for reading in readings if reading.is_nginx]
    if not found:
        raise LocalProtocolError(f"{on_disk(readings[0].path)}: this is no configuration of nginx")
    return found


def on_disk(name: str) -> str:
    """Return a name of a configuration as Python gives it to the system."""
    return name.encode("latin-1").decode("utf-8", "surrogateescape")


def in_latin_1(path: str) -> str:
    """Return a path as names in a configuration are written."""
    return path.encode("utf-8", "surrogateescape").decode("latin-1")


def expand(pattern: str) -> Iterator[str]:
    """Yield the names that fit a pattern of `include`.

    The pattern itself where its folder is not here: what nginx would find there is not known.
    """
    yield from map(in_latin_1, glob.iglob(on_disk(pattern)))
    folder = os.path.dirname(on_disk(pattern)) or os.curdir
    if not (glob.has_magic(folder) or os.path.isdir(folder)):
        yield pattern


class _Reader:
    """Opens files, and keeps their texts."""

    def __init__(self, instead: Mapping[str, str], *, is_closed: bool = False) -> None:
        self.sources: dict[str, str] = {}
        self.masked: dict[str, Masked] = {}
        self.unread: dict[str, OSError] = {}
        self._instead = instead
        self._is_closed = is_closed  # there is nothing else to open
        self._reads = 0

    def open(self, name: str) -> str:
        """Return the text of a file; raises OSError."""
        if name not in self.sources:
            text = self._instead.get(name)
            if text is None and self._is_closed:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
            if text is None:
                text = _octets_of(name, is_first=not self.sources).decode("latin-1")
            self.sources[name] = text
            self.masked[name] = mask(text)
        return self.masked[name].text

    def read(self, name: str) -> bytes:
        """Return what the parser is to see of a file; raises OSError."""
        self._reads += 1
        try:
            if self._reads > _FILES_MAX:
                raise OSError(errno.EMFILE, f"more than {_FILES_MAX} files")
            return self.open(name).encode("latin-1")
        except OSError as error:
            if error.errno == errno.ENOENT and os.path.basename(name) in _SHIPPED:
                return b""
            self.unread[name] = error
            raise


def _octets_of(name: str, *, is_first: bool) -> bytes:
    """Return a file's octets; raises OSError. Only the first may be a pipe: others could wait."""
    path = on_disk(name)
    if name == STANDARD_INPUT and is_first:
        return sys.stdin.buffer.read(_FILE_OCTETS_MAX)
    if "\0" in path:
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
    found = os.stat(path)
    if stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not (stat.S_ISREG(found.st_mode) or is_first):
        raise OSError(errno.EINVAL, "not a regular file")
    with Path(path).open("rb") as file:
        octets = file.read(_FILE_OCTETS_MAX + 1)
    if len(octets) > _FILE_OCTETS_MAX:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return octets


def _includes(directives: Iterable[Directive]) -> Iterator[Directive]:
    for line in directives:
        if line.name == "include" and len(line.args) == 1 and line.block is None:
            yield line
        yield from _includes(line.block or ())


def _are_known(names: Iterable[str]) -> bool:
    """Whether a quarter of names, at least, are nginx's; comments and braces do not count."""
    meant = [name for name in names if name[0] not in "#}"]
    return sum(name in TABLE for name in meant) * 4 >= max(len(meant), 1)


def _default(prefix: str | None) -> str:
    names = [os.path.join(prefix or "", name) for name in DEFAULTS]
    found = next((name for name in names if os.path.exists(name)), None)
    if found is None:
        raise LocalProtocolError(f"name a file: neither {' nor '.join(names)} is there")
    return found


def _below(folder: str, pattern: str) -> Iterator[str]:
    for name in glob.iglob(os.path.join(glob.escape(folder), pattern)):
        if os.path.isfile(name) and not name.endswith(("~", ".bak", ".swp")):
            yield name


def _folder_name(path: str) -> str:
    return os.path.basename(os.path.abspath(path))


def _folder_of(path: str) -> str:
    """Return what relative names in a file are below, "" for the folder that we run in.

    Those in a part of nginx.conf are below the folder of nginx.conf, as nginx reads them.
    """
    folder = "" if path == STANDARD_INPUT else os.path.dirname(path)
    if _folder_name(folder) not in _PARTS:
        return folder
    above = os.path.dirname(folder) if folder else os.pardir
    return above or ("/" if folder.startswith("/") else "")
