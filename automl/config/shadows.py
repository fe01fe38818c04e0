"""Files beside a study that have the name of a library: which of the two an import finds, told by name."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

import automl
from automl import plugins
from automl.config.document import KeyPath, Mistake
from automl.contracts import UserError

_INSTALLED = {"site-packages", "dist-packages"}


def shadows(folder: Path) -> dict[str, str]:
    """By module name, what a file in `folder` has the name of: an import finds that, never the file."""
    found = {}
    for path in _files(folder):
        library = _library(path.stem)
        if library is not None:
            text = f"{path.name} in {folder} has the name of a library: `import {path.stem}` finds {library}"
            found[path.stem] = f"{text}, not this file, on every executor"
    return found


def check_loaded(folder: Path) -> None:
    """Raise `UserError` when a library was imported from `folder`, which was first on Python's path."""
    for path in _files(folder):
        file = path / "__init__.py" if path.is_dir() else path
        loaded = sys.modules.get(path.stem)
        origin = loaded and loaded.__spec__ and loaded.__spec__.origin
        if origin and Path(origin).resolve() == file.resolve() and _library(path.stem) is not None:
            raise UserError(
                f"libraries must come before the folder of a study, but {path.stem!r} was imported from "
                f"{file}; take {folder} out of PYTHONPATH and sys.path, or rename the file"
            )


def warnings(folder: Path) -> Iterator[str]:
    """A line for each file beside a study that has the name of a library."""
    return (f"warning: {text}; rename it" for text in shadows(folder).values())


def check(data: Any, folder: Path, path: KeyPath = ()) -> Iterator[Mistake]:
    """References of a study, `module:name`, whose module is a library rather than the file that was meant."""
    hidden = shadows(folder)
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


def _files(folder: Path) -> Iterator[Path]:
    """The modules of a folder: files, and folders that are packages."""
    for file in sorted([*folder.glob("*.py"), *folder.glob("*/__init__.py")]):
        yield file.parent if file.name == "__init__.py" else file


def _library(name: str) -> str | None:
    """The module of that name in Python's library or an installed package, in words."""
    installed = [entry for entry in sys.path if _INSTALLED & set(Path(entry).parts)]
    spec: ModuleSpec | None = PathFinder.find_spec(name, installed)
    if name in sys.stdlib_module_names:
        return "the module of Python's library"
    if name == automl.__name__:  # a checkout is not among the installed
        return f"that of {automl.__file__}"
    if spec is None or spec.origin is None:  # nothing, or a folder without code
        return None
    return f"that of {spec.origin}"
