"""What a space declares: constraints, and the rules for the names and conditions of its parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from automl.contracts import Config, Scalar, UserError
from automl.space.basics import is_active
from automl.space.parameters import Choice, Float, Int, Parameter

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,99}")


@dataclass(frozen=True)
class Constraint:
    """A rule between parameters: `check` returns whether a configuration keeps it, `reason` is its text."""

    check: Callable[[Config], bool]
    reason: str


def check_parameters(parameters: Mapping[str, Parameter]) -> None:
    """Raise `UserError` for a wrong name, or a condition on what is not an earlier parameter's value."""
    if not parameters:
        raise UserError("a space must have at least one parameter, but got none")
    for number, (name, parameter) in enumerate(parameters.items()):
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise UserError(f"a parameter's name must match {NAME.pattern}, but got {name!r}")
        if not isinstance(parameter, (Float, Int, Choice)):
            raise UserError(f"a parameter must be a Float, an Int or a Choice, but got {name}={parameter!r}")
        before = list(parameters)[:number]
        for parent, values in parameter.when.items():
            if parent not in before:
                raise UserError(
                    f"when of {name!r} must name parameters before it ({before}), but got {parent!r}"
                )
            parent_parameter = parameters[parent]
            if isinstance(parent_parameter, Float):
                raise UserError(
                    f"when of {name!r} must name Int or Choice parameters, but {parent!r} is a Float"
                )
            for value in values:
                problem = parent_parameter.problem(value)
                if problem:
                    raise UserError(f"when of {name!r}: {parent!r} {problem}")


def wrong_values(parameters: Mapping[str, Parameter], config: Mapping[str, Scalar]) -> list[str]:
    """What is wrong with the names and values of a configuration, constraints not looked at."""
    mistakes = [f"{name!r} must be one of {list(parameters)}" for name in config if name not in parameters]
    for name, parameter in parameters.items():
        active = is_active(parameter, config)
        if active and name not in config:
            mistakes.append(f"{name!r} must be given")
        elif active:
            problem = parameter.problem(config[name])
            mistakes += [f"{name!r} {problem}"] if problem else []
        elif name in config:
            needed = {parent: list(values) for parent, values in parameter.when.items()}
            mistakes.append(f"{name!r} must be left out, because it needs {needed}")
    return mistakes
