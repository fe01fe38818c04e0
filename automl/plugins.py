"""Find a plug-in by its file's name; nothing is registered anywhere.

A plug-in is a Python file ending in `PLUGIN = …`. It is looked for, in this order, as
`package.module:attribute`, in the folders of `AUTOML_PLUGINS` (`<folder>/<kind>/<name>.py`),
in the rooms of this package, and among entry points of the group `automl.<kind>`.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, overload

from pydantic import ValidationError

from automl.contracts import (
    Evaluator,
    Executor,
    LearnerTraits,
    MethodTraits,
    PluginSpec,
    Proxy,
    Pruner,
    Strategy,
    UserError,
)
from automl.packaged import packaged

PACKAGES = {
    "spaces": "automl.searchspaces",
    "strategies": "automl.strategies",
    "pruners": "automl.strategies.pruners",
    "evaluators": "automl.evaluators",
    "supernets": "automl.supernets",
    "proxies": "automl.proxies",
    "learners": "automl.learners",
    "executors": "automl.executors",
    "datasets": "automl.data.datasets",
}
SINGULAR = {
    "spaces": "search space",
    "strategies": "strategy",
    "pruners": "pruner",
    "evaluators": "evaluator",
    "supernets": "supernet method",
    "proxies": "zero-cost proxy",
    "learners": "meta-learner",
    "executors": "executor",
    "datasets": "dataset",
}
CONTRACTS: dict[str, type] = {
    "evaluators": Evaluator,
    "strategies": Strategy,
    "pruners": Pruner,
    "executors": Executor,
    "learners": LearnerTraits,
    "supernets": MethodTraits,
}  # the base class that every plug-in of the kind extends
REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")  # package.module:attribute
FOLDERS = "AUTOML_PLUGINS"  # the variable with the folders of a user's own plug-ins
_PLUGIN = re.compile(r"^PLUGIN\b", re.MULTILINE)


@overload
def load(kind: Literal["evaluators"], name: str) -> type[Evaluator]: ...
@overload
def load(kind: Literal["strategies"], name: str) -> type[Strategy]: ...
@overload
def load(kind: Literal["pruners"], name: str) -> type[Pruner]: ...
@overload
def load(kind: Literal["executors"], name: str) -> type[Executor]: ...
@overload
def load(kind: Literal["proxies"], name: str) -> Proxy: ...
@overload
def load(kind: str, name: str) -> Any: ...
def load(kind: str, name: str) -> Any:
    """The `PLUGIN` called `name`. Raises `UserError` for an unknown or broken one."""
    plugin = _load(kind, name)
    if kind == "proxies" and not isinstance(plugin, Proxy):
        raise UserError(
            f"a zero-cost proxy must be an automl.contracts.Proxy, but {name!r} is {plugin!r}; "
            "write PLUGIN = Proxy(score)"
        )
    contract = CONTRACTS.get(kind)
    if contract is not None and not (isinstance(plugin, type) and issubclass(plugin, contract)):
        raise UserError(
            f"a {SINGULAR[kind]} must be a class that extends automl.contracts.{contract.__name__}, "
            f"but {name!r} is {plugin!r}; extend it"
        )
    return plugin


def _load(kind: str, name: str) -> Any:
    if ":" in name:
        return load_attribute(name)
    path = files(kind).get(name)
    if path is not None:
        return _attribute(_import_file(kind, name, path), "PLUGIN", name)
    for entry in packaged(kind):
        if entry.name == name:
            return _guarded(entry.load, entry.value)
    raise UserError(unknown(SINGULAR[kind], name, names(kind)))


@overload
def build(kind: Literal["evaluators"], spec: PluginSpec) -> Evaluator: ...
@overload
def build(kind: Literal["strategies"], spec: PluginSpec) -> Strategy: ...
@overload
def build(kind: Literal["pruners"], spec: PluginSpec) -> Pruner: ...
@overload
def build(kind: Literal["executors"], spec: PluginSpec) -> Executor: ...
def build(kind: str, spec: PluginSpec) -> Any:
    """The plug-in of a kind with its options. Raises `UserError` for unknown names and wrong options."""
    plugin = load(kind, spec.name)
    try:
        options = plugin.Options(**spec.options)
    except ValidationError as error:
        mistakes = [
            f"{'.'.join(map(str, item['loc'])) or 'options'}: {item['msg']}, but got {item['input']!r}"
            for item in error.errors()
        ]
        what = SINGULAR[kind]
        raise UserError(
            f"options of the {what} {spec.name!r} must be valid: {'; '.join(mistakes)}"
        ) from error
    return plugin(options)


def load_attribute(reference: str) -> Any:
    """What `package.module:attribute` names. Raises `UserError` when it cannot be imported."""
    module_name, _, attribute = reference.partition(":")
    if not REFERENCE.fullmatch(reference):
        raise UserError(f"a reference must read package.module:attribute, but got {reference!r}")
    module = _guarded(lambda: importlib.import_module(module_name), reference)
    value: object = module
    for part in attribute.split("."):
        value = _attribute(value, part, reference)
    return value


def load_file(kind: str, path: Path) -> Any:
    """The `PLUGIN` of one file, wherever it lies. Raises `UserError` when it cannot be imported."""
    return _attribute(_import_file(kind, path.stem, path), "PLUGIN", str(path))


def names(kind: str) -> list[str]:
    """All plug-ins of a kind that `load` finds by a plain name, sorted."""
    return sorted({*files(kind), *(entry.name for entry in packaged(kind))})


def summaries(kind: str) -> dict[str, str]:
    """Name and first docstring line of every plug-in of a kind; imports none of them."""
    found = {entry.name: entry.value for entry in packaged(kind)}
    for name, path in files(kind).items():
        doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        found[name] = doc.partition("\n")[0]
    return dict(sorted(found.items()))


def unknown(what: str, name: str, known: list[str]) -> str:
    """The message for an unknown name: the nearest one and the full list."""
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    listed = ", ".join(known) or "none"
    return f"{what} must be one of those there are, but got {name!r}; {hint}known: {listed}"


def is_own(kind: str, name: str) -> bool:
    """Whether a plug-in called `name` is code of a user's, rather than a file of this package."""
    path = files(kind).get(name)
    return path is None or path.parent != _package_folder(PACKAGES[kind])


def files(kind: str) -> dict[str, Path]:
    """The file of every plug-in of a kind that lies in a folder, by name; a user's own go first."""
    found: dict[str, Path] = {}
    for folder in _folders(kind):
        if folder.is_dir():
            found = {**_scan(folder, folder.stat().st_mtime_ns), **found}
    return found


@lru_cache(maxsize=64)
def _scan(folder: Path, _changed: int) -> dict[str, Path]:
    """The plug-in files of a folder by name, read once for each change of it: every trial loads a few."""
    files = sorted(folder.glob("*.py"))
    return {path.stem: path for path in files if _PLUGIN.search(path.read_text(encoding="utf-8"))}


def _folders(kind: str) -> Iterator[Path]:
    for folder in filter(None, os.environ.get(FOLDERS, "").split(os.pathsep)):
        yield Path(folder) / kind
    yield _package_folder(PACKAGES[kind])


@cache
def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"the package {package} is not installed")
    return Path(next(iter(spec.submodule_search_locations)))


def _import_file(kind: str, name: str, path: Path) -> ModuleType:
    package = PACKAGES.get(kind)
    if package is not None and path.parent == _package_folder(package):
        return importlib.import_module(f"{package}.{name}")
    module_name = f"automl_plugins.{kind}.{name}"
    loaded = sys.modules.get(module_name)
    if loaded is not None and loaded.__file__ == str(path):
        return loaded
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise UserError(f"a plug-in must be a Python file, but got {path}")
    loader, module = spec.loader, importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module
    try:
        _guarded(lambda: loader.exec_module(module), str(path))
    except UserError:
        del sys.modules[module_name]
        raise
    return module


def _guarded(run: Callable[[], Any], what: str) -> Any:
    try:
        return run()
    except (Exception, SystemExit) as error:  # a script that ends when it is done
        raise UserError(f"{what} must be importable, but importing it raised {error!r}") from error


def _attribute(owner: object, attribute: str, what: str) -> Any:
    try:
        return getattr(owner, attribute)
    except AttributeError as error:
        raise UserError(f"{what} must exist, but {owner!r} has no {attribute!r}") from error
