"""`autoindex` and what goes with it."""

from __future__ import annotations

from kit.conf_text import location
from upwire.conf.model.types.autoindex import AutoindexSettings


def test_the_defaults_are_nginxs() -> None:
    assert location("").settings.autoindex == AutoindexSettings()


def test_what_is_written() -> None:
    lines = "autoindex on; autoindex_format XML; autoindex_localtime on; autoindex_exact_size off;"
    assert location(lines).settings.autoindex == AutoindexSettings(True, "xml", True, False)
