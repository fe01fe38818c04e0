"""How notes and errors of readers name files and count things: a few of many, never thousands of lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

FEW = 3


def shown(path: Path | str) -> str:
    """`path` in one line that every terminal can print, also where its bytes are no text."""
    text = str(path).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def some(names: Sequence[Path | str], few: int = FEW) -> str:
    """The first `few` of `names`, and how many more there are."""
    more = f" and {len(names) - few:,} more" if len(names) > few else ""
    return ", ".join(shown(name) for name in names[:few]) + more


def count(number: int, thing: str, things: str = "") -> str:
    """`number` with the noun in the right number: 1 image, 2 images."""
    return f"{number:,} {thing if number == 1 else things or thing + 's'}"
