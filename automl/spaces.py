"""Search spaces by name: a plug-in, or a benchmark file whose configurations make a space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl import plugins
from automl.benchmarks import table_space
from automl.contracts import UserError
from automl.space import Space, parameter_from_json

TABLE = ".npz"  # ends the name of a space that is a benchmark file's own


def find_space(name: str) -> Space:
    """The whole space called `name`. Raises `UserError` for an unknown or broken one."""
    if is_table(name):
        return table_space(name)
    space = plugins.load("spaces", name)
    if not isinstance(space, Space):
        kind = type(space).__name__
        raise UserError(f"must name a Space, but {name!r} is of type {kind}; see automl list spaces")
    return space


def whole_space(spec: Mapping[str, Any]) -> Space:
    """The space of a study's `{name, parameters}`, unrestricted: its own parameters, or that of its name."""
    written = spec.get("parameters")
    if not written:
        return find_space(spec["name"])
    names = [parameter["name"] for parameter in written]
    if len(set(names)) < len(names):
        raise UserError(f"parameters must have names of their own, but got {names}; write each once")
    return Space({parameter["name"]: parameter_from_json(parameter) for parameter in written})


def load_space(spec: Mapping[str, Any]) -> Space:
    """The space of a study's `{name, fix, narrow, parameters}`. Raises `UserError` for values outside it."""
    space = whole_space(spec)
    return space.fix(spec.get("fix") or {}).narrow(spec.get("narrow") or {})


def is_table(name: str) -> bool:
    """Whether a space of this name is a benchmark file's own."""
    return ":" not in name and name.endswith(TABLE)
