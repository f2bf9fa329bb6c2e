"""The little of YAML that generated files need."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """Return a text as YAML 1.2 has it between double quotes, which are JSON's."""
    return json.dumps(text, ensure_ascii=False)


def literal(text: str, indent: str) -> list[str]:
    """Return the lines of a text that stands behind `|`."""
    return [f"{indent}{line}" if line else "" for line in text.splitlines()]
