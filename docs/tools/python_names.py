"""The reference of `import automl`: signatures and docstrings of its names."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import automl
from automl.api import keys

ARGUMENTS = {
    "minimize": (keys.MinimizeKeys, keys.SearchKeys, keys.RunKeys),
    "maximize": (keys.MinimizeKeys, keys.SearchKeys, keys.RunKeys),
    "session": (keys.SessionKeys, keys.SearchKeys, keys.RunKeys),
    "run": (keys.RunKeys,),
}


def python_names() -> str:
    """A section for each name, with the public parts of classes."""
    return "\n\n".join("\n\n".join(_section(name)) for name in automl.__all__)


def _section(name: str) -> Iterator[str]:
    found = getattr(automl, name)
    yield f"## `automl.{name}`"
    if not inspect.isclass(found):
        yield f"`{name}{_signature(found)}`"
    elif issubclass(found, Exception):
        yield f"`{name}` is an exception."
    yield _text(found)
    for keyword in ARGUMENTS.get(name, ()):
        yield _text(keyword)
    if inspect.isclass(found) and found.__module__.startswith("automl.api"):
        yield "\n".join(["| | |", "|---|---|", *_members(found)])


def _members(owner: type) -> Iterator[str]:
    for name, member in vars(owner).items():
        own = isinstance(member, property | classmethod) or inspect.isfunction(
            member
        )  # no descriptor of a library
        if name.startswith("_") or not own or not inspect.getdoc(member):
            continue
        if isinstance(member, property):
            yield f"| `{name}` | {_text(member, row=True)} |"
        else:
            function = member.__func__ if isinstance(member, classmethod) else member
            yield f"| `{name}{_signature(function)}` | {_text(member, row=True)} |"


def _signature(function: Any) -> str:
    """The arguments without their types."""
    parts = []
    for name, one in inspect.signature(function).parameters.items():
        if name in ("self", "cls"):
            continue
        if one.kind is one.VAR_KEYWORD:
            parts.append("…")
        elif one.kind is one.VAR_POSITIONAL:
            parts.append(f"*{name}")
        else:
            parts.append(name if one.default is one.empty else f"{name}={one.default!r}")
    return f"({', '.join(parts)})"


def _text(owner: Any, *, row: bool = False) -> str:
    text = inspect.getdoc(owner) or ""
    return re.sub(r"\s+", " ", text).replace("|", "\\|") if row else text
