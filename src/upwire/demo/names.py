"""What people may call themselves and their rooms."""

from __future__ import annotations

import unicodedata
from collections.abc import Container

NAME_LENGTH_MAX = 24
DEFAULT_ROOM = "lobby"

# Controls, formats (which turn the text's direction around), surrogates, private, unassigned.
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn")


def clean_line(text: str, length_max: int) -> str:
    """Return the text in one line, without what cannot be seen, cut to a length."""
    text = unicodedata.normalize("NFC", text[: length_max * 4])
    seen = (" " if sign.isspace() else sign for sign in text if _is_shown(sign))
    return " ".join("".join(seen).split())[:length_max].rstrip()


def clean_name(name: str, *, taken: Container[str], fallback: str) -> str:
    """Return a name that can be shown and that nobody has in the room."""
    cleaned = clean_line(name, NAME_LENGTH_MAX) or fallback
    candidate, number = cleaned, 2
    while candidate in taken:
        suffix = f" {number}"
        candidate = cleaned[: NAME_LENGTH_MAX - len(suffix)] + suffix
        number += 1
    return candidate


def clean_room(name: str) -> str:
    """Return a room's name: lower case letters and digits, joined by hyphens."""
    shown = clean_line(name, NAME_LENGTH_MAX).lower()
    words = "".join(sign if sign.isalnum() else " " for sign in shown).split()
    return "-".join(words) or DEFAULT_ROOM


def _is_shown(sign: str) -> bool:
    return sign.isspace() or unicodedata.category(sign) not in _INVISIBLE
