"""Where the code comes from that a file names, and whether it is of the right kind: nothing of it is called.

A study or an exported winner may come from somebody else. It may name code in its own folder, in Python's
library, in installed packages and in the folders of `AUTOML_PLUGINS`; other code only where a user says so.
"""

from __future__ import annotations

import inspect
import json
import os
import site
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import metadata
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import automl
from automl import plugins
from automl.contracts import UserError
from automl.packaged import every_one

KeyPath = tuple[str | int, ...]


def references(data: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Every `package.module:attribute` in plain data, keys included, and every entry point that it names."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _reference(key, (*path, key))
            yield from references(value, (*path, key))
    elif isinstance(data, list | tuple):
        for number, value in enumerate(data):
            yield from references(value, (*path, number))
    else:
        yield from _reference(data, path)


def refusal(reference: str, own: Sequence[Path], search: Sequence[str] = ()) -> str | None:
    """Why code that a file names must not run: the rule and the value; None when it may.

    `own`: the folders that the file may name code in. `search`: folders after those of Python's path.
    """
    wanted = [*own, *plugin_folders()]
    for place in _places(reference.partition(":")[0], [*sys.path, *search]):
        real = place.resolve()
        if not any(real.is_relative_to(folder.resolve()) for folder in wanted) and not _installed(place):
            rule = f"must come from the file's own folder, installed packages or {plugins.FOLDERS}"
            return f"{rule}, but {reference} is in {real}"
    return None


def as_function(value: object, reference: str, arguments: int, rule: str) -> Callable[..., Any]:
    """`value`, which `reference` names, as a function that takes so many arguments; it is not called.

    Raises `UserError`, which begins with `rule`, when it is none.
    """
    if not callable(value) or isinstance(value, type):
        kind = "class" if isinstance(value, type) else type(value).__name__
        raise UserError(f"{rule}, but {reference!r} is a {kind}; define it with def")
    try:
        signature = inspect.signature(value, follow_wrapped=False)
    except (TypeError, ValueError):  # written in C, without a signature
        return value
    try:
        signature.bind(*range(arguments))
    except TypeError as error:
        text = f"{rule}, but {reference!r} has the arguments {signature}: {error}"
        raise UserError(f"{text}; correct its arguments") from None
    return value


def plugin_folders() -> list[Path]:
    """The folders of `AUTOML_PLUGINS`."""
    return [Path(folder) for folder in os.environ.get(plugins.FOLDERS, "").split(os.pathsep) if folder]


def _reference(value: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    if not isinstance(value, str):
        return
    if plugins.REFERENCE.fullmatch(value):
        yield path, value
    yield from ((path, entry.value) for entry in every_one() if entry.name == value)


def _places(module: str, search: Sequence[str]) -> Iterator[Path]:
    """The files that importing `module` runs, and the folders of packages that are none."""
    parts = module.split(".")
    folders: Sequence[str] | None = search
    for depth in range(1, len(parts) + 1):
        name = ".".join(parts[:depth])
        loaded = sys.modules.get(name)
        if loaded is not None and loaded.__spec__ is None:  # such as __main__
            yield from [Path(loaded.__file__)] if loaded.__file__ else []
            return
        spec = _spec(name, folders, depth == 1)  # by its last part: its parents are not imported
        if spec is None:
            return
        if spec.has_location and spec.origin:
            yield Path(spec.origin)
        folders = spec.submodule_search_locations
        if folders is None:
            return
        if not spec.has_location and depth == len(parts):
            yield from map(Path, folders)
        folders = list(folders)


def _spec(name: str, folders: Sequence[str] | None, top: bool) -> ModuleSpec | None:
    if name in sys.modules:
        return sys.modules[name].__spec__
    if name in sys.builtin_module_names:
        return ModuleSpec(name, None)
    spec = PathFinder.find_spec(name.rpartition(".")[2], folders)
    return find_spec(name) if spec is None and top else spec


def _installed(path: Path) -> bool:
    """Whether a file belongs to Python, to an installed package or to this one."""
    places = {path, path.resolve()}
    return any(place.is_relative_to(root) for place in places for root in _roots(tuple(sys.path)))


@cache
def _roots(search: tuple[str, ...]) -> tuple[Path, ...]:
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    folders = {sysconfig.get_path(name) for name in names} | set(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        folders.add(site.getusersitepackages())
    roots = [Path(automl.__file__).parent, *map(Path, folders), *_editable(folders)]
    return tuple({place for root in roots for place in (root, root.resolve())})


def _editable(folders: set[str]) -> Iterator[Path]:
    """The folders of packages that are installed as links to a checkout."""
    for distribution in metadata.distributions(path=sorted(folders)):
        text = distribution.read_text("direct_url.json")
        if text:
            written = json.loads(text)
            if written.get("dir_info", {}).get("editable"):
                yield Path(unquote(urlsplit(written["url"]).path))
    for folder in map(Path, folders):
        for file in sorted(folder.glob("*.pth")):
            for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
                if line.strip() and not line.startswith(("#", "import ", "import\t")):
                    yield folder / line.strip()
