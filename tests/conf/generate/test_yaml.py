"""Texts as a reader of YAML gets them back."""

from __future__ import annotations

import pytest
import yaml

from upwire.conf.generate.yaml import literal, quoted


@pytest.mark.parametrize("text", ["", "a", "yes", "1", 'a "b" \\ c', "a: b # c", "é", "{x}"])
def test_quoted(text: str) -> None:
    assert yaml.safe_load(f"key: {quoted(text)}") == {"key": text}


def test_literal() -> None:
    text = "a: {\n    b;\n\n  # c\n}\n"
    document = "\n".join(["key: |", *literal(text, "  "), ""])
    assert yaml.safe_load(document) == {"key": text}
