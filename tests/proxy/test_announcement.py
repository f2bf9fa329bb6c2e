"""What is said at the start of directives that guard something."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from upwire.conf.directives import TABLE
from upwire.proxy import announcement
from upwire.proxy.load import load_file


@pytest.mark.parametrize(
    ("user", "euid", "is_warned"),
    [("www-data", 0, True), ("root", 0, False), ("www-data", 1000, False)],
)
def test_root_stays_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, euid: int, is_warned: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    path = tmp_path / "nginx.conf"
    path.write_text(f"user {user};\nevents {{}}\nhttp {{ deny all; }}")
    warnings = [str(problem) for problem in announcement.unguarded(load_file(str(path)))]
    dropped = f"[warn] privileges are NOT dropped: Upwire does not act on user yet in {path}:1:1"
    assert warnings == [
        *([dropped] if is_warned else []),
        f"[warn] access is NOT restricted: Upwire does not act on deny yet in {path}:3:8",
    ]


def test_the_guide_names_what_is_warned_of() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "proxy.md").read_text()
    (listed,) = (line for line in guide.splitlines() if line.startswith("These are `allow`"))
    names = {row.name for rows in TABLE.values() for row in rows if row.unacted and not row.acted}
    assert names | {"user"} == set(re.findall(r"`(\w+)`", listed.partition(" where root ")[0]))
