"""What `nginx -T` prints, told from other texts and cut into its files."""

from __future__ import annotations

import pytest

from upwire.check.dump import split_dump

BOTH = "# configuration file /e/a:\nx;\n\n# configuration file /e/b c:\n\n"


@pytest.mark.parametrize(
    "before", ["", "\n", "nginx: the configuration file /e/a syntax is ok\nnginx: it is\n"]
)
def test_each_file_has_its_own_lines(before: str) -> None:
    assert split_dump(before + BOTH) == {"/e/a": "x;\n\n", "/e/b c": "\n"}


def test_ends_of_lines_may_be_windows_s() -> None:
    assert split_dump(BOTH.replace("\n", "\r\n")) == {"/e/a": "x;\r\n\r\n", "/e/b c": "\r\n"}


@pytest.mark.parametrize(
    "text", ["", "events { }\n" + BOTH, "# configuration file nginx.conf:\n", "# configuration\n"]
)
def test_another_text_is_none(text: str) -> None:
    assert split_dump(text) == {}
