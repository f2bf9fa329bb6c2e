"""The files of a directory as ngx_http_autoindex_module writes them: HTML, JSON or XML.

Names are text of one character an octet, and so are the listings.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from upwire.conf.model.types.autoindex import AutoindexSettings
from upwire.proxy.dates import http_date

_NAME_WIDTH = 50
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_UNITS = (("G", 1 << 30, 1 << 30), ("M", 1 << 20, 1 << 20), ("K", 1 << 10, 10_000))
_ESCAPED = str.maketrans({"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;"})


@dataclass(frozen=True, slots=True)
class Entry:
    """What is in a directory. kind: "directory", "file" or "other"."""

    name: str
    kind: str
    modified_s: float
    size_octets: int

    @property
    def is_directory(self) -> bool:
        """Whether it has entries of its own."""
        return self.kind == "directory"


def sort_entries(entries: Sequence[Entry]) -> list[Entry]:
    """Return directories first, each part by name."""
    return sorted(entries, key=lambda entry: (not entry.is_directory, entry.name))


def write_html(
    uri: str, entries: Sequence[Entry], settings: AutoindexSettings, *, is_utf8: bool
) -> str:
    """Return the page; is_utf8: names are cut and lined up by characters, not by octets."""
    title = f"Index of {uri.translate(_ESCAPED)}"
    lines = "".join(f"{_html_line(entry, settings, is_utf8)}\r\n" for entry in entries)
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<h1>{title}</h1>"
        f'<hr><pre><a href="../">../</a>\r\n{lines}</pre><hr></body>\r\n</html>\r\n'
    )


def write_json(entries: Sequence[Entry], callback: str = "") -> str:
    """Return the list; callback: the name of a function that it is the argument of."""
    items = ",".join(f"\r\n{_json_item(entry)}" for entry in entries)
    listing = f"[{items}\r\n]"
    return f"/* callback */\r\n{callback}({listing});" if callback else listing


def write_xml(entries: Sequence[Entry]) -> str:
    """Return the document."""
    lines = "".join(f"{_xml_element(entry)}\r\n" for entry in entries)
    return f'<?xml version="1.0"?>\r\n<list>\r\n{lines}</list>\r\n'


def _html_line(entry: Entry, settings: AutoindexSettings, is_utf8: bool) -> str:
    slash = "/" if entry.is_directory else ""
    name = _characters(entry.name) if is_utf8 else list(entry.name)
    if len(name) > _NAME_WIDTH:
        shown, width = "".join(name[: _NAME_WIDTH - 3]).translate(_ESCAPED) + "..&gt;", _NAME_WIDTH
    else:
        mark = slash if len(name) < _NAME_WIDTH else ""
        shown = entry.name.translate(_ESCAPED) + mark
        width = len(name) + len(mark)
    target = quote(entry.name.encode("latin-1"), safe="") + slash
    read = time.localtime if settings.in_local_time else time.gmtime
    at = read(entry.modified_s)
    day = f"{at.tm_mday:02d}-{_MONTHS[at.tm_mon - 1]}-{at.tm_year}"
    date = f"{day} {at.tm_hour:02d}:{at.tm_min:02d}"
    size = _size(entry, settings.has_exact_sizes)
    return f'<a href="{target}">{shown}</a>{" " * (_NAME_WIDTH - width)} {date} {size}'


def _characters(name: str) -> list[str]:
    """Return the characters of a name, each as its octets; octets where it is no UTF-8."""
    try:
        text = name.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return list(name)
    return [sign.encode("utf-8").decode("latin-1") for sign in text]


def _size(entry: Entry, is_exact: bool) -> str:
    if is_exact:
        return f"{'-' if entry.is_directory else entry.size_octets:>19}"
    if entry.is_directory:
        return f"{'-':>7}"
    for unit, octets, least in _UNITS:
        if entry.size_octets >= least:
            return f"{(entry.size_octets + octets // 2) // octets:>6}{unit}"
    return f"{entry.size_octets:>7}"


def _json_item(entry: Entry) -> str:
    name = json.dumps(entry.name, ensure_ascii=False)
    size = f', "size":{entry.size_octets}' if entry.kind == "file" else ""
    date = http_date(entry.modified_s)
    return f'{{ "name":{name}, "type":"{entry.kind}", "mtime":"{date}"{size} }}'


def _xml_element(entry: Entry) -> str:
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(entry.modified_s))
    size = f' size="{entry.size_octets}"' if entry.kind == "file" else ""
    name = entry.name.translate(_ESCAPED)
    return f'<{entry.kind} mtime="{date}"{size}>{name}</{entry.kind}>'
