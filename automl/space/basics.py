"""What all parameters share: which values are allowed, when a parameter exists, and its JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeGuard

from automl.contracts import Scalar, UserError

LARGEST_OPTION = 10**300  # of an integer that is one option among others: a float holds about that much
LARGEST = 2**53  # integers up to here are exact as floats, which Optuna keeps


def same(a: object, b: object) -> bool:
    """Whether two values are the same option: `1` equals `1.0`, but neither equals `True`."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def is_scalar(value: object) -> TypeGuard[Scalar]:
    """Whether `value` is a string, a finite number (an integer up to 10^300), a truth value or None."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) <= LARGEST_OPTION
    return value is None or isinstance(value, str)


def is_number(value: object) -> TypeGuard[float]:
    """Whether `value` is a finite number (truth values are not)."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether `value` is an integer that a float represents exactly (truth values are not)."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


@dataclass(frozen=True)
class ParameterBase:
    """A parameter that exists only while its parents, the keys of `when`, have one of the listed values."""

    when: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        when = self.when or {}
        if not isinstance(when, Mapping):
            raise UserError(f"when must map parents to values, but got {when!r}")
        conditions: dict[str, tuple[Scalar, ...]] = {}
        for parent, values in when.items():
            conditions[parent] = tuple(values) if isinstance(values, (list, tuple)) else (values,)
            if not conditions[parent] or not all(is_scalar(value) for value in conditions[parent]):
                raise UserError(f"when must name one or more plain values, but got {parent}={values!r}")
        object.__setattr__(self, "when", conditions)

    def to_json(self) -> dict[str, object]:
        """The parameter as plain JSON values; `parameter_from_json` reads it."""
        values = asdict(self)
        values["when"] = {parent: list(options) for parent, options in self.when.items()}
        return {"type": type(self).__name__.lower(), **values}


def is_active(parameter: ParameterBase, config: Mapping[str, Scalar]) -> bool:
    """Whether `config` gives all parents of `parameter` the values it needs."""
    return all(
        parent in config and any(same(config[parent], value) for value in values)
        for parent, values in parameter.when.items()
    )
