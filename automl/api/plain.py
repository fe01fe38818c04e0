"""Studies as programs write them: objects of Python become what a study file says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from automl.api.objectives import Objective, objective_of
from automl.config.document import KeyPath, Mistake, shown
from automl.config.yamlfile import MAX_DEPTH
from automl.contracts import Json, UserError
from automl.space import Choice, Float, Int, Space
from automl.space.basics import is_scalar

_OBJECTIVE = ("evaluator",)  # ends the path of what may be a function
LARGEST = 2**63


@dataclass
class Plain:
    """Plain data, what of it could not be made plain, and the functions that serve as objectives."""

    data: Any = None
    mistakes: list[Mistake] = field(default_factory=list)
    objectives: list[Objective] = field(default_factory=list)

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> Plain:
        """The keys of a study as a file would have them."""
        found = cls()
        found.data = found._value(dict(written), ())
        return found

    def _value(self, value: Any, path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH:
            return self._refuse(path, f"must have at most {MAX_DEPTH} levels, but got more; flatten it")
        if path[-1:] == ("space",) and (space := _parameters(value)) is not None:
            return self._space(space, path)
        if path[-1:] == _OBJECTIVE and (objective := _function(value)) is not None:
            return self._objective(*objective, path)
        if isinstance(value, Mapping):
            return self._mapping(value, path)
        if isinstance(value, list | tuple):
            return [self._value(item, (*path, number)) for number, item in enumerate(value)]
        if isinstance(value, Path):
            return str(value)
        if is_scalar(value) and type(value) in (str, int, float, bool, type(None)):
            if isinstance(value, int) and abs(value) >= LARGEST:
                return self._refuse(path, f"an integer must fit 64 bits, but got {shown(value)}; write less")
            return value
        kind = type(value)
        name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
        rule = "must be a text, a finite number, true or false, or a list or mapping of those"
        return self._refuse(path, f"{rule}, but got {shown(value)} of type {name}; convert it")

    def _mapping(self, value: Mapping[Any, Any], path: KeyPath) -> Json:
        plain = {}
        for key, inner in value.items():
            if isinstance(key, str):
                plain[key] = self._value(inner, (*path, key))
            else:
                self._refuse(path, f"keys must be texts, but got {shown(key)}; write {str(key)!r}")
        return plain

    def _space(self, space: Mapping[str, Any] | Space, path: KeyPath) -> Any:
        parameters = space.parameters if isinstance(space, Space) else dict(space)
        if isinstance(space, Space) and not _is_bare(space):
            text = "a Space with constraints, a default, networks or canonical forms must be named"
            return self._refuse(path, f"{text}, but got the object; put it in a module and write module:NAME")
        try:
            Space(parameters)
        except UserError as error:
            return self._refuse(path, str(error))
        return {"parameters": {name: _written(parameter) for name, parameter in parameters.items()}}

    def _objective(self, function: Callable[..., Any], options: Json, path: KeyPath) -> Any:
        try:
            objective = objective_of(function)
        except UserError as error:
            return self._refuse(path, str(error))
        self.objectives.append(objective)
        return {objective.evaluator: {**objective.options, **self._mapping(options, path)}}

    def _refuse(self, path: KeyPath, text: str) -> None:
        self.mistakes.append(Mistake(path, text))


def _parameters(value: Any) -> Mapping[str, Any] | Space | None:
    """The parameters, where `value` is a space in code."""
    if isinstance(value, Space):
        return value
    if isinstance(value, Mapping) and any(isinstance(one, Float | Int | Choice) for one in value.values()):
        return value
    return None


def _function(value: Any) -> tuple[Callable[..., Any], Json] | None:
    """The objective, where an evaluator is a function or `{function: {call: a function, …}}`."""
    if isinstance(value, Mapping) and len(value) == 1:
        (options,) = value.values()
        if isinstance(options, Mapping) and callable(call := options.get("call")):
            return call, {key: inner for key, inner in options.items() if key != "call"}
    return (value, {}) if callable(value) else None


def _is_bare(space: Space) -> bool:
    """Whether it is its parameters and nothing else, which is all that a study can write down."""
    return (
        not space.constraints
        and space.canonical is space.network is space.supernet is None
        and space.default_config() == Space(space.parameters).default_config()
        and not space.portfolio.lists
    )


def _written(parameter: Float | Int | Choice) -> Json:
    """A parameter as a study file writes it: without what it leaves to a default."""
    unset = (None, False)  # by identity: 0 is a value
    written = {key: value for key, value in parameter.to_json().items() if not any(value is x for x in unset)}
    written = {key: value for key, value in written.items() if value != {}}
    return {**written, **({"options": list(parameter.options)} if isinstance(parameter, Choice) else {})}
