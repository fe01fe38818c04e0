"""Numeric parameters: `Float` and `Int`."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Self

from automl.contracts import Scalar, UserError
from automl.space.basics import ParameterBase, is_integer, is_number

NEIGHBOUR = 0.05  # relative step of a continuous parameter, as a part of its (log) range


@dataclass(frozen=True)
class _Number(ParameterBase):
    low: float
    high: float
    log: bool = field(default=False, kw_only=True)

    def _check_order(self) -> None:
        if self.low > self.high:
            raise UserError(f"low <= high must hold, but got (low={self.low}, high={self.high})")
        if self.log and self.low <= 0:
            raise UserError(f"low > 0 must hold with log=True, but got low={self.low}")

    def narrow(self, values: object) -> Self:
        """The same parameter within `values` = [low, high]. Raises `UserError` when outside."""
        if not isinstance(values, (list, tuple)) or len(values) != 2:
            raise UserError(f"a number is narrowed to [low, high], but got {values!r}")
        low, high = values
        problem = self.problem(low)
        if problem:
            raise UserError(problem)
        if not is_number(high) or high > self.high:
            raise UserError(f"high must be a number <= {self.high}, but got {high!r}")
        return replace(self, low=self.nearest(low), high=high)

    def fix(self, value: object) -> Self:
        """The same parameter at one value. Raises `UserError` when it cannot take it."""
        problem = self.problem(value)
        if problem or not is_number(value):
            raise UserError(problem)
        return replace(self, low=value, high=value)

    def problem(self, value: object) -> str | None:
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
        if not (is_number(self.low) and is_number(self.high) and math.isfinite(self.high - self.low)):
            raise UserError(
                f"low and high must be finite numbers, but got (low={self.low!r}, high={self.high!r})"
            )
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        self._check_order()
        if self.step is None:
            return
        if not is_number(self.step) or self.step <= 0 or self.log:
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

    def problem(self, value: object) -> str | None:
        """What is wrong with `value`, or None."""
        if not is_number(value) or not self.low <= value <= self.high:
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
        if not (is_integer(self.low) and is_integer(self.high)):
            raise UserError(f"low and high must be integers, but got (low={self.low!r}, high={self.high!r})")
        self._check_order()
        if not is_integer(self.step) or self.step < 1 or (self.log and self.step != 1):
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

    def problem(self, value: object) -> str | None:
        """What is wrong with `value`, or None."""
        if not is_integer(value) or not self.low <= value <= self.high:
            return f"must be an integer in [{self.low}, {self.high}], but got {value!r}"
        if (value - self.low) % self.step:
            return f"must be {self.low} plus a multiple of {self.step}, but got {value!r}"
        return None
