"""A study file as plain data that knows where each key was written, and the mistakes found in it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from automl.contracts import UserError

KeyPath: TypeAlias = tuple[str | int, ...]


class Mistake(NamedTuple):
    """What is wrong at one key: the rule, the value and what to do, in one line."""

    path: KeyPath
    text: str


@dataclass
class Document:
    """Plain data and where each of its keys was written. `mistakes` were found while reading.

    `numbered`: whether it has lines; data that a program has built have none.
    """

    file: str
    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)
    overrides: dict[KeyPath, str] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)
    numbered: bool = True

    def place(self, path: KeyPath) -> tuple[int, str]:
        """Where `path`, or its nearest written ancestor, stands: (sort key, text)."""
        overridden = list(self.overrides)
        for length in range(len(path), -1, -1):
            part = path[:length]
            if part in self.lines:
                return self.lines[part], f"{self.file}:{self.lines[part]}"
            # an override of a.b also wrote a, where the file has none
            above = [key for key in overridden if part and key[:length] == part]
            if above:
                return overridden.index(above[0]) - len(overridden), self.overrides[above[0]]
        return 1, f"{self.file}:1" if self.numbered else self.file

    def error(self, mistakes: Iterable[Mistake]) -> UserError:
        """All mistakes in one error, a line each, in the order of the file."""
        lines = []
        for path, text in mistakes:
            order, where = self.place(path)
            name = dotted(path)
            line = f"{where}: {name}: {text}" if name else f"{where}: {text}"
            lines.append((order, printable(line)))
        return UserError(
            "\n".join(dict.fromkeys(line for _, line in sorted(lines, key=lambda pair: pair[0])))
        )


def dotted(path: KeyPath) -> str:
    """A key path as users write it: `arms.tpe.metrics[1]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if part.isprintable() and part.strip() else repr(part)
            text += f".{key}" if text else key
    return text


def shown(value: object) -> str:
    """A value in at most 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint of a message about an unknown name: the nearest one and all known ones."""
    names = list(known)
    near = difflib.get_close_matches(name[:100], names, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}known: {', '.join(names) or 'none'}"


def one_line(error: Exception) -> str:
    """The text of an error on one line."""
    return re.sub(r"\s*\n\s*", "; ", str(error))


def printable(text: str) -> str:
    """`text` on one line: line separators, control characters and lone surrogates as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
