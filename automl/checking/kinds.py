"""Which checks a plug-in file must pass: its kind, found from its folder or from what it defines."""

from __future__ import annotations

import ast
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from automl import plugins
from automl.checking import (
    datasets,
    evaluators,
    executors,
    learners,
    proxies,
    pruners,
    spaces,
    strategies,
    supernets,
)
from automl.checking.frame import Check
from automl.contracts import (
    Evaluator,
    Executor,
    LearnerTraits,
    MethodTraits,
    Proxy,
    Pruner,
    Strategy,
    UserError,
)
from automl.space import Space

CHECKS: dict[str, Callable[[object], Iterator[Check]]] = {
    "datasets": datasets.checks,
    "evaluators": evaluators.checks,
    "executors": executors.checks,
    "learners": learners.checks,
    "proxies": proxies.checks,
    "pruners": pruners.checks,
    "spaces": spaces.checks,
    "strategies": strategies.checks,
    "supernets": supernets.checks,
}
BASES: dict[str, type] = {
    "evaluators": Evaluator,
    "executors": Executor,
    "learners": LearnerTraits,
    "proxies": Proxy,
    "pruners": Pruner,
    "spaces": Space,
    "strategies": Strategy,
    "supernets": MethodTraits,
}
SUMMARY = (10, 120)  # characters of a docstring's first line


@contextmanager
def file_checks(path: Path, kind: str | None = None) -> Iterator[tuple[str, list[Check]]]:
    """The kind of the plug-in in the file `path`, and its checks; within it, the plug-in is known by name.

    `kind`: as in a plug-in folder (`strategies`, …); by default that of its folder, or of what it defines.
    Raises `UserError` when there is no such file, it cannot be imported, or its kind cannot be told.
    """
    if not path.is_file():
        raise UserError(f"a plug-in must be a Python file, but there is none at {path}; correct the path")
    if kind is not None and kind not in plugins.SINGULAR:
        raise UserError(plugins.unknown("the kind of plug-in", kind, list(plugins.SINGULAR)))
    known = kind or _kind_of_file(path)
    before = os.environ.get(plugins.FOLDERS, "")
    with tempfile.TemporaryDirectory(prefix="automl-check-") as folder:
        link = Path(folder) / known / path.name
        link.parent.mkdir()
        link.symlink_to(path.resolve())
        os.environ[plugins.FOLDERS] = os.pathsep.join(filter(None, (folder, before)))
        try:
            yield known, [*_file_checks(path), *CHECKS[known](plugins.load_file(known, link))]
        finally:
            os.environ[plugins.FOLDERS] = before


def _kind_of_file(path: Path) -> str:
    folder = path.resolve().parent.name
    if folder in plugins.SINGULAR:
        return folder
    plugin = plugins.load_file("files", path.resolve())
    kind = _kind(plugin)
    if kind is None:
        raise UserError(
            f"the kind of {path} must be given, for neither its folder nor PLUGIN = {plugin!r} tells it; "
            f"add --kind with one of {', '.join(plugins.SINGULAR)}"
        )
    return kind


def _kind(plugin: object) -> str | None:
    for kind, base in BASES.items():
        if isinstance(plugin, base) or (isinstance(plugin, type) and issubclass(plugin, base)):
            return kind
    return None


def _file_checks(path: Path) -> Iterator[Check]:
    yield Check("its name can be written in a study file", partial(_check_name, path))
    yield Check("the first line of its docstring says what it is", partial(_check_summary, path))


def _check_name(path: Path) -> None:
    assert path.stem.isidentifier(), (
        f"the file's name must be letters, digits and _, for it is the plug-in's name, but is {path.stem!r}"
    )


def _check_summary(path: Path) -> None:
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    summary = doc.partition("\n")[0]
    low, high = SUMMARY
    assert low < len(summary) <= high, (
        f"the first line of the module's docstring must have {low + 1} to {high} characters, for lists show "
        f"it, but has {len(summary)}: {summary!r}"
    )
