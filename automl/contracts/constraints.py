"""Constraints: what metrics of a trial must be, or it ends as pruned. Use it from `automl.contracts`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from automl.contracts.basics import Options

BROKEN: Final = "constraint"  # begins the reason of a trial that ended because it broke one


class Bounds(Options):
    """What one metric must be: `at_most`, `at_least`, or both, in its unit."""

    at_most: float | None = Field(default=None, description="write a number")
    at_least: float | None = Field(default=None, description="write a number")

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in handler(self).items() if value is not None}

    def violation(self, value: float) -> float:
        """How far beyond its bounds `value` is, as a part of the bound; 0 or less: it keeps them."""
        above = -1.0 if self.at_most is None else (value - self.at_most) / (abs(self.at_most) or 1.0)
        below = -1.0 if self.at_least is None else (self.at_least - value) / (abs(self.at_least) or 1.0)
        return max(above, below)

    def __str__(self) -> str:
        bounds = (("at most", self.at_most), ("at least", self.at_least))
        return " and ".join(f"{how} {bound:,.12g}" for how, bound in bounds if bound is not None)


def violations(constraints: Mapping[str, Bounds], measured: Mapping[str, float]) -> dict[str, float]:
    """The violation of each constraint whose metric is among the `measured` ones, by metric."""
    return {
        name: bounds.violation(measured[name]) for name, bounds in constraints.items() if name in measured
    }


def broken(constraints: Mapping[str, Bounds], measured: Mapping[str, float]) -> str:
    """Which constraints the `measured` metrics break, as the reason of a trial's end; "" for none."""
    found = [name for name, beyond in violations(constraints, measured).items() if beyond > 0]
    texts = [f"{name} is {measured[name]:,.12g}, but must be {constraints[name]}" for name in found]
    return f"{BROKEN}: {'; '.join(texts)}" if texts else ""
