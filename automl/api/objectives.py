"""Objectives that are functions of a program: by name where a worker can import it, else as they are."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from automl import plugins
from automl.api import given
from automl.api.sources import source_of
from automl.contracts import Json, UserError

RULE: Final = "an objective must be a function of (config) or (config, context)"
CONTEXT: Final = ("context", "ctx", "_context", "_")  # names of a second argument that is the context
IMPORTED: Final = "function"  # the option `call` of an evaluator that imports its objective


@dataclass(frozen=True)
class Objective:
    """The evaluator that calls it. `folder`: from which it is imported; None: only this process has it.

    `untold`: what it uses that is no part of its identity.
    """

    name: str
    evaluator: str
    options: Json
    folder: Path | None = None
    untold: tuple[str, ...] = field(default=())


def objective_of(function: Callable[..., Any]) -> Objective:
    """How a study calls `function`. Raises `UserError` for what is no function, or takes other arguments."""
    check_arguments(function)
    module, name = function.__module__, function.__qualname__
    if _is_importable(function):
        root = Path(inspect.getfile(function)).resolve()
        for _ in range(len(module.split(".")) + (root.name == "__init__.py")):
            root = root.parent
        return Objective(name, IMPORTED, {"call": f"{module}:{name}"}, root)
    source = source_of(function)
    options = {"name": name, "source": source.text, "uses": source.uses}
    given.provide(options, function)
    return Objective(name, given.EVALUATOR, options, None, source.untold)


def check_arguments(function: object) -> None:
    """Raise `UserError` unless it is a function that takes a configuration, and maybe a context."""
    if not inspect.isfunction(function):
        kind = function.__name__ if isinstance(function, type) else type(function).__name__
        raise UserError(f"{RULE}, but got {function!r:.100} of type {kind}; write it with def")
    if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
        raise UserError(f"{RULE} that returns its value, but {function.__qualname__} is async or a generator")
    signature = inspect.signature(function)
    if not (_takes(signature, 1) or _takes(signature, 2)):
        raise UserError(f"{RULE}, but {function.__qualname__} has the arguments {signature}; correct them")
    if _takes(signature, 1) and _takes(signature, 2):
        second = [*signature.parameters][1:2]
        if second not in [[name] for name in CONTEXT]:
            raise UserError(
                f"the second argument of an objective is its context, but {function.__qualname__} has "
                f"{signature}; call it context, or make it a keyword: (config, *, …)"
            )


def _takes(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def _is_importable(function: Callable[..., Any]) -> bool:
    """Whether `module:name` is this very function in every process, so that a worker can import it.

    No for one of `__main__`: a script, a notebook or a prompt, which is another module elsewhere.
    """
    module, name = function.__module__, function.__qualname__
    loaded = sys.modules.get(module)
    if module == "__main__" or loaded is None or loaded.__spec__ is None or not loaded.__spec__.origin:
        return False
    if not plugins.REFERENCE.fullmatch(f"{module}:{name}") or not Path(loaded.__spec__.origin).is_file():
        return False
    found: Any = loaded
    for part in name.split("."):
        found = vars(found).get(part)
        if found is None:
            return False
    return found is function
