"""Files beside a study that have the name of a library: which of the two an import finds, told by name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from automl import plugins
from automl.config.document import KeyPath, Mistake

_INSTALLED = {"site-packages", "dist-packages"}


def shadows(folder: Path) -> dict[str, str]:
    """By module name, which of two an import finds: a file in `folder`, or a library of the same name."""
    found = {}
    for file in sorted([*folder.glob("*.py"), *folder.glob("*/__init__.py")]):
        path = file.parent if file.name == "__init__.py" else file
        library = _library(path.stem)
        if library is None:
            continue
        taken = PathFinder.find_spec(path.stem, sys.path)
        own = taken is not None and taken.origin == str(file) and path.stem not in sys.builtin_module_names
        result = (
            f"this file hides {library}" if own else f"`import {path.stem}` finds {library}, not this file"
        )
        found[path.stem] = f"{path.name} in {folder} has the name of a library: {result}, on every executor"
    return found


def warnings(folder: Path) -> Iterator[str]:
    """A line for each file beside a study that has the name of a library."""
    return (f"warning: {text}; rename it" for text in shadows(folder).values())


def check(data: Any, folder: Path, path: KeyPath = ()) -> Iterator[Mistake]:
    """References of a study, `module:name`, whose module is a library rather than the file that was meant."""
    hidden = {name: text for name, text in shadows(folder).items() if "not this file" in text}
    return _references(data, hidden, path) if hidden else iter(())


def _references(data: Any, hidden: dict[str, str], path: KeyPath) -> Iterator[Mistake]:
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _references(value, hidden, (*path, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _references(value, hidden, (*path, number))
    elif isinstance(data, str) and plugins.REFERENCE.fullmatch(data):
        module = re.split(r"[.:]", data, maxsplit=1)[0]
        if module in hidden:
            yield Mistake(path, f"must name a module of your own, but {hidden[module]}; rename the file")


def _library(name: str) -> str | None:
    """The module of that name in Python's library or an installed package, in words."""
    installed = [entry for entry in sys.path if _INSTALLED & set(Path(entry).parts)]
    spec: ModuleSpec | None = PathFinder.find_spec(name, installed)
    if name in sys.stdlib_module_names:
        return "the module of Python's library"
    if spec is None or spec.origin is None:  # nothing, or a folder without code
        return None
    return f"that of {spec.origin}"
