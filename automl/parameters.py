"""Parameters of a search space: `Float`, `Int`, `Choice`. `automl.space` re-exports them."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from decimal import Decimal
from typing import Any, Self, TypeAlias

from automl.contracts import Scalar, UserError

NEIGHBOUR = 0.05  # relative step of a continuous parameter, as a part of its (log) range
LARGEST = 2**53  # integers up to here are exact as floats, which Optuna keeps


def same(a: Scalar, b: Scalar) -> bool:
    """Whether two values are the same option: `1` equals `1.0`, but neither equals `True`."""
    return a == b and isinstance(a, bool) == isinstance(b, bool)


def _is_scalar(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, (str, int))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST


@dataclass(frozen=True)
class _Parameter:
    when: Mapping[str, Any] = field(default_factory=dict, kw_only=True)

    def __post_init__(self) -> None:
        when = self.when or {}
        if not isinstance(when, Mapping):
            raise UserError(f"when must map parents to values, but got {when!r}")
        found: dict[str, tuple[Scalar, ...]] = {}
        for parent, values in when.items():
            found[parent] = tuple(values) if isinstance(values, (list, tuple)) else (values,)
            if not found[parent] or not all(_is_scalar(value) for value in found[parent]):
                raise UserError(f"when must name one or more plain values, but got {parent}={values!r}")
        object.__setattr__(self, "when", found)

    def to_json(self) -> dict[str, Any]:
        """The parameter as plain JSON values; `parameter_from_json` reads it."""
        values = asdict(self)
        values["when"] = {parent: list(options) for parent, options in self.when.items()}
        return {"type": type(self).__name__.lower(), **values}


@dataclass(frozen=True)
class _Number(_Parameter):
    low: float
    high: float
    log: bool = field(default=False, kw_only=True)

    def _check_order(self) -> None:
        if self.low > self.high:
            raise UserError(f"low <= high must hold, but got (low={self.low}, high={self.high})")
        if self.log and self.low <= 0:
            raise UserError(f"low > 0 must hold with log=True, but got low={self.low}")

    def narrow(self, values: Any) -> Self:
        """The same parameter within `values` = [low, high]. Raises `UserError` when outside."""
        if not isinstance(values, (list, tuple)) or len(values) != 2:
            raise UserError(f"a number is narrowed to [low, high], but got {values!r}")
        low, high = values
        problem = self.problem(low)
        if problem:
            raise UserError(problem)
        if not _is_number(high) or high > self.high:
            raise UserError(f"high must be a number <= {self.high}, but got {high!r}")
        return replace(self, low=self.nearest(low), high=high)

    def fix(self, value: Any) -> Self:
        """The same parameter at one value. Raises `UserError` when it cannot take it."""
        problem = self.problem(value)
        if problem:
            raise UserError(problem)
        return replace(self, low=value, high=value)

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        raise NotImplementedError

    def nearest(self, value: float) -> float:
        """The parameter's value nearest to `value`."""
        raise NotImplementedError


@dataclass(frozen=True)
class Float(_Number):
    """A real number in [low, high]; with `step` only low, low + step, … up to high.

    `log` makes equal ratios equally likely. `when={"parent": value or [values]}`: the
    parameter exists only while every named parent does and has (one of) those values.
    A `high` off the grid is lowered to it. Raises `UserError` for impossible bounds.
    """

    step: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (_is_number(self.low) and _is_number(self.high) and math.isfinite(self.high - self.low)):
            raise UserError(
                f"low and high must be finite numbers, but got (low={self.low!r}, high={self.high!r})"
            )
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        self._check_order()
        if self.step is None:
            return
        if not _is_number(self.step) or self.step <= 0 or self.log:
            raise UserError(
                f"step must be a number > 0 and log=False, but got (step={self.step!r}, log={self.log})"
            )
        object.__setattr__(self, "step", float(self.step))
        steps = (Decimal(str(self.high)) - Decimal(str(self.low))) // Decimal(str(self.step))
        high = Decimal(str(self.low)) + steps * Decimal(str(self.step))
        if Decimal(str(float(high))) != high:
            raise UserError(
                f"low + {steps} * step must be exact in 15 digits, not (low={self.low}, step={self.step}); "
                "round them"
            )
        object.__setattr__(self, "high", float(high))

    @property
    def _steps(self) -> int:
        return 0 if self.step is None else round((self.high - self.low) / self.step)

    def size(self) -> float:
        """Number of values."""
        if self.low == self.high:
            return 1
        return math.inf if self.step is None else self._steps + 1

    def _at(self, step: int) -> float:
        return float(Decimal(str(self.low)) + step * Decimal(str(self.step)))

    def sample(self, rng: random.Random) -> Scalar:
        """A uniform value (of the logarithm with `log`)."""
        if self.low == self.high:
            return self.low
        if self.step is not None:
            return self._at(rng.randint(0, self._steps))
        if not self.log:
            return rng.uniform(self.low, self.high)
        return self._clip(math.exp(rng.uniform(math.log(self.low), math.log(self.high))))

    def middle(self) -> Scalar:
        """The value in the middle of the (log) range."""
        if self.step is not None:
            return self._at(self._steps // 2)
        if self.log:
            return self._clip(math.sqrt(self.low) * math.sqrt(self.high))
        return self._clip(self.low + (self.high - self.low) / 2)

    def around(self, value: Any) -> list[Scalar]:
        """The values one step, or 5 % of the (log) range, below and above `value`."""
        if self.step is not None:
            place = round((value - self.low) / self.step)
            return [self._at(at) for at in (place - 1, place + 1) if 0 <= at <= self._steps]
        if self.log:
            factor = math.exp(NEIGHBOUR * (math.log(self.high) - math.log(self.low)))
            near = [self._clip(value / factor), self._clip(value * factor)]
        else:
            width = NEIGHBOUR * (self.high - self.low)
            near = [self._clip(value - width), self._clip(value + width)]
        return [other for other in near if other != value]

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        if not _is_number(value) or not self.low <= value <= self.high:
            return f"must be a number in [{self.low}, {self.high}], but got {value!r}"
        if self.step is not None:
            place = (value - self.low) / self.step
            if abs(place - round(place)) > 1e-8:
                return f"must be {self.low} plus a multiple of {self.step}, but got {value!r}"
        return None

    def nearest(self, value: float) -> float:
        """The parameter's value nearest to `value`."""
        if self.step is None:
            return self._clip(float(value))
        return self._at(min(max(round((value - self.low) / self.step), 0), self._steps))

    def _clip(self, value: float) -> float:
        return min(max(value, self.low), self.high)


@dataclass(frozen=True)
class Int(_Number):
    """An integer in [low, high]: low, low + step, … up to high.

    `log`, `when` and `high` as for `Float`. Raises `UserError` for impossible bounds.
    """

    low: int
    high: int
    step: int = field(default=1, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (_is_int(self.low) and _is_int(self.high)):
            raise UserError(f"low and high must be integers, but got (low={self.low!r}, high={self.high!r})")
        self._check_order()
        if not _is_int(self.step) or self.step < 1 or (self.log and self.step != 1):
            raise UserError(
                f"step must be an integer >= 1 (1 with log), but got (step={self.step!r}, log={self.log})"
            )
        object.__setattr__(self, "high", self.low + (self.high - self.low) // self.step * self.step)

    def size(self) -> float:
        """Number of values."""
        return (self.high - self.low) // self.step + 1

    def sample(self, rng: random.Random) -> Scalar:
        """A uniform value; with `log` a rounded one whose logarithm is uniform."""
        if not self.log:
            return self.low + self.step * rng.randint(0, (self.high - self.low) // self.step)
        drawn = rng.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5))
        return self.nearest(math.exp(drawn))

    def middle(self) -> Scalar:
        """The value in the middle of the (log) range."""
        if self.log:
            return self.nearest(math.sqrt(self.low * self.high))
        return self.low + (self.high - self.low) // self.step // 2 * self.step

    def around(self, value: Any) -> list[Scalar]:
        """The values one step below and above `value`; with `log` 5 % of the log range, at least one step."""
        if self.log:
            factor = math.exp(NEIGHBOUR * (math.log(self.high) - math.log(self.low)))
            near = [min(value - 1, round(value / factor)), max(value + 1, round(value * factor))]
            near = [min(max(other, self.low), self.high) for other in near]
        else:
            near = [value - self.step, value + self.step]
        return [other for other in near if self.low <= other <= self.high and other != value]

    def nearest(self, value: float) -> float:
        """The parameter's value nearest to `value`."""
        place = round((value - self.low) / self.step)
        return min(max(self.low + place * self.step, self.low), self.high)

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        if not _is_int(value) or not self.low <= value <= self.high:
            return f"must be an integer in [{self.low}, {self.high}], but got {value!r}"
        if (value - self.low) % self.step:
            return f"must be {self.low} plus a multiple of {self.step}, but got {value!r}"
        return None


@dataclass(frozen=True)
class Choice(_Parameter):
    """One of several plain values, without an order. `when` as for `Float`.

    Raises `UserError` for no options, options that are not plain, or two equal ones.
    """

    options: tuple[Scalar, ...]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.options, (list, tuple)) or not self.options:
            raise UserError(f"options must be a list with at least one entry, but got {self.options!r}")
        options = tuple(self.options)
        bad = [option for option in options if not _is_scalar(option)]
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

    def around(self, value: Any) -> list[Scalar]:
        """All other options."""
        return [option for option in self.options if not same(option, value)]

    def problem(self, value: Any) -> str | None:
        """What is wrong with `value`, or None."""
        if any(same(option, value) for option in self.options):
            return None
        return f"must be one of {list(self.options)!r}, but got {value!r}"

    def narrow(self, values: Any) -> Choice:
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

    def fix(self, value: Any) -> Choice:
        """The same parameter with one option. Raises `UserError` when it is none of them."""
        return self.narrow([value])

    def to_json(self) -> dict[str, Any]:
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
