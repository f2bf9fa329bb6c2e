"""What is said at the start of directives that guard something."""

from __future__ import annotations

import re
from pathlib import Path

from upwire.conf.directives import TABLE
from upwire.proxy import announcement
from upwire.proxy.load import load_file


def test_what_guards_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "nginx.conf"
    path.write_text("user root;\nevents {}\nhttp { disable_symlinks on; }")
    warnings = [str(problem) for problem in announcement.unguarded(load_file(str(path)))]
    assert warnings == [
        "[warn] symbolic links ARE followed: Upwire does not act on disable_symlinks yet"
        f" in {path}:3:8"
    ]


def test_the_guide_names_what_is_warned_of() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "proxy.md").read_text()
    (listed,) = (line for line in guide.splitlines() if line.startswith("These are `"))
    names = {row.name for rows in TABLE.values() for row in rows if row.unacted and not row.acted}
    assert names == set(re.findall(r"`(\w+)`", listed))
