"""Parameters of a search space: `Float`, `Int`, `Choice`, and how they are read from JSON."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from automl.contracts import Scalar, UserError
from automl.space.basics import ParameterBase, is_scalar, same
from automl.space.numbers import Float, Int

__all__ = ["Choice", "Float", "Int", "Parameter", "parameter_from_json"]


@dataclass(frozen=True)
class Choice(ParameterBase):
    """One of several plain values, without an order. `when` as for `Float`.

    Raises `UserError` for no options, options that are not plain, or two equal ones.
    """

    options: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.options, (list, tuple)) or not self.options:
            raise UserError(f"options must be a list with at least one entry, but got {self.options!r}")
        options = tuple(self.options)
        bad = [option for option in options if not is_scalar(option)]
        if bad:
            raise UserError(f"options must be strings, finite numbers, truth values or None, but got {bad!r}")
        if len(set(options)) != len(options):
            raise UserError(f"options must differ (1, 1.0 and True are equal), but got {list(options)!r}")
        object.__setattr__(self, "options", options)

    def size(self) -> float:
        """Number of values."""
        return len(self.options)

    def sample(self, rng: random.Random) -> Scalar:
        """A uniform option."""
        return rng.choice(self.options)

    def middle(self) -> Scalar:
        """The first option."""
        return self.options[0]

    def around(self, value: Scalar) -> list[Scalar]:
        """All other options."""
        return [option for option in self.options if not same(option, value)]

    def problem(self, value: object) -> str | None:
        """What is wrong with `value`, or None."""
        if any(same(option, value) for option in self.options):
            return None
        return f"must be one of {list(self.options)!r}, but got {value!r}"

    def narrow(self, values: object) -> Choice:
        """The same parameter with fewer options, in their old order. Raises `UserError` when outside."""
        if not isinstance(values, (list, tuple)) or not values:
            raise UserError(f"a choice is narrowed to a list of its options, but got {values!r}")
        for value in values:
            problem = self.problem(value)
            if problem:
                raise UserError(problem)
        return replace(
            self, options=tuple(o for o in self.options if any(same(o, value) for value in values))
        )

    def fix(self, value: object) -> Choice:
        """The same parameter with one option. Raises `UserError` when it is none of them."""
        return self.narrow([value])

    def to_json(self) -> dict[str, object]:
        """The parameter as plain JSON values; `parameter_from_json` reads it."""
        return {**super().to_json(), "options": list(self.options)}


Parameter: TypeAlias = Float | Int | Choice
_TYPES: dict[str, type[Float | Int | Choice]] = {"float": Float, "int": Int, "choice": Choice}


def parameter_from_json(data: Mapping[str, Any]) -> Parameter:
    """The parameter that `to_json` wrote. Raises `UserError` for an unknown type or key."""
    values = {key: value for key, value in data.items() if key not in ("type", "name")}
    try:
        return _TYPES[data["type"]](**values)
    except (KeyError, TypeError) as error:
        raise UserError(
            f"a parameter must have type float, int or choice and its fields, but got {dict(data)!r}"
        ) from error
