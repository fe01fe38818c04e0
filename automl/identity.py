"""What makes one campaign: the code, spaces and data behind a study's names, and this package's version.

The text of the study has a digest of its own (`Study.digest`). Here is what that text stands for, so that a
campaign is not continued with other code or data than it was begun with. How far a campaign goes, its extent,
is no part of this.
"""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from automl import plugins
from automl.config.resolved import ResolvedStudy
from automl.contracts import Json
from automl.provenance import DISTRIBUTION, DataIdentity, package_versions

_SHOWN = 60  # characters of a value in a message


@dataclass(frozen=True)
class Change:
    """One item that differs: what it is, its earlier and its present value in words ("" for none)."""

    item: str
    before: str
    after: str

    def __str__(self) -> str:
        before, after = self.before or "nothing", self.after or "nothing"
        return f"{self.item}: from {before} to {after}"


@dataclass(frozen=True)
class Identity:
    """`code`: sha256 of each file of the user's, by its name; `spaces`: their parameters, by name.

    `transfer`: digests of other datasets on which winners are trained, by name.
    """

    code: dict[str, str] = field(default_factory=dict)
    spaces: dict[str, Json] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    version: str = ""
    transfer: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> Json:
        """Plain JSON."""
        plain = {"code": self.code, "spaces": self.spaces, "data": self.data, "version": self.version}
        return {**plain, "transfer": dict(self.transfer)} if self.transfer else plain

    def changes_since(self, began: Json) -> list[Change]:
        """What differs from an earlier one, as `to_json` wrote it. Other datasets may come and go."""
        known = began.get("transfer", {})
        both = {name: known[name] for name in known if name in self.transfer}
        now = {**self.to_json(), "transfer": {name: self.transfer[name] for name in both}}
        return changes({**began, "transfer": both}, now)

    def extending(self, began: Json) -> Json:
        """Plain JSON, with the other datasets that an earlier one has and this one has not."""
        transfer = {**began.get("transfer", {}), **self.transfer}
        return {**self.to_json(), "transfer": transfer} if transfer else self.to_json()


def identify(
    resolved: ResolvedStudy, data: DataIdentity | None, transfer: Mapping[str, str] = MappingProxyType({})
) -> Identity:
    """What the names of a study stand for at this moment. `transfer`: see `Identity`."""
    spaces: dict[str, Json] = {}
    for arm in resolved.arms.values():
        if arm.space is not None:
            written = json.loads(json.dumps(arm.space.to_json()))
            parameters = {item.pop("name"): item for item in written["parameters"]}
            spaces[str(arm.space_spec["name"])] = {**written, "parameters": parameters}
    return Identity(
        code=user_code(resolved.study.to_json(), [Path(resolved.study.source)]),
        spaces=spaces,
        data={} if data is None else {"name": data.name, "digest": data.digest},
        version=package_versions().get(DISTRIBUTION, ""),
        transfer=transfer,
    )


def user_code(study: Json, folders: Sequence[Path]) -> dict[str, str]:
    """Sha256 of every file of the user's that `study` names or that these import, by name.

    Imports are read, not run: what code loads by other means is not seen. `folders`: where modules are looked
    for, besides the folders of plug-ins and those of the Python path that hold no installed packages.
    """
    places = [*folders, *_plugin_folders(), *_own_path()]
    todo = [path for name in _modules(study) for path in _files(name, places)]
    todo += _plugin_files(study)
    found: dict[Path, bytes] = {}
    while todo:
        path = todo.pop().resolve()
        if path in found or _installed(path):
            continue
        try:
            found[path] = path.read_bytes()
        except OSError:
            continue
        for name, base in _imports(found[path], path):
            todo += _files(name, [*places, path.parent] if base is None else [base])
    return {_shown(path, places): hashlib.sha256(text).hexdigest() for path, text in sorted(found.items())}


def changes(before: Any, after: Any, item: str = "") -> list[Change]:
    """Every value that differs between two plain JSON values, by its path."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys = [*before, *(key for key in after if key not in before)]
        return [
            change
            for key in keys
            for change in changes(before.get(key), after.get(key), f"{item}.{key}" if item else str(key))
        ]
    if before == after:
        return []
    return [Change(item, _words(before), _words(after))]


def _words(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if re.fullmatch(r"[0-9a-f]{64}", text):
        return text[:12]
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield str(key)
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _modules(study: Json) -> list[str]:
    references = filter(plugins.REFERENCE.fullmatch, _strings(study))
    return sorted({reference.partition(":")[0] for reference in references})


def _plugin_files(study: Json) -> list[Path]:
    """Plug-in files of the user's whose name the study uses; those of this package go with its version."""
    named = set(_strings(study))
    own = [folder.resolve() for folder in _plugin_folders()]
    return [
        path
        for kind in plugins.PACKAGES
        for name, path in plugins.files(kind).items()
        if name in named and any(path.resolve().is_relative_to(folder) for folder in own)
    ]


def _plugin_folders() -> list[Path]:
    return [Path(folder) for folder in os.environ.get(plugins.FOLDERS, "").split(os.pathsep) if folder]


def _own_path() -> list[Path]:
    return [Path(folder) for folder in sys.path if folder and not _installed(Path(folder))]


def _installed(path: Path) -> bool:
    """Whether `path` belongs to Python, to an installed package or to this one: those have versions."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    roots = [*(sysconfig.get_path(name) for name in names), str(Path(__file__).parents[1] / "automl")]
    return any(path.resolve().is_relative_to(Path(root).resolve()) for root in roots)


def _files(module: str, places: Sequence[Path]) -> list[Path]:
    """The files that importing `module` reads in the first of `places` that has it."""
    parts = module.split(".")
    for place in places:
        found = [place.joinpath(*parts[:depth], "__init__.py") for depth in range(1, len(parts) + 1)]
        found.append(place.joinpath(*parts[:-1], f"{parts[-1]}.py"))
        there = [path for path in found if path.is_file()]
        if there:
            return there
    return []


def _imports(text: bytes, path: Path) -> Iterator[tuple[str, Path | None]]:
    """The modules that a file imports, also in functions, and the folder a relative import starts from."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = path.parents[min(node.level, len(path.parents)) - 1] if node.level else None
            names = [f"{node.module}.{alias.name}" if node.module else alias.name for alias in node.names]
            yield from ((name, base) for name in [*([node.module] if node.module else []), *names])


def _shown(path: Path, places: Sequence[Path]) -> str:
    """The name of a file, within the folder of the user's that holds it."""
    for place in places:
        if path.is_relative_to(place.resolve()):
            return path.relative_to(place.resolve()).as_posix()
    return path.name
