"""The output of `nginx -T`: a configuration and all that it includes, in one text."""

from __future__ import annotations

import re
from collections.abc import Mapping

_BEGIN = re.compile(r"(?:nginx: [^\n]*\n|[ \t\r]*\n)*# configuration file /[^\n]*:\r?\n")
_FILE = re.compile(r"^# configuration file (/[^\n]*?):\r?\n", re.MULTILINE)


def split_dump(text: str) -> Mapping[str, str]:
    """Return the files in a text of `nginx -T`, the first first; none where it is another text."""
    if _BEGIN.match(text) is None:
        return {}
    _, *pieces = _FILE.split(text)
    return dict(zip(pieces[::2], pieces[1::2], strict=True))
