"""The space and the objective of `function.yaml`: minimise Branin's function, reported in five steps."""

from __future__ import annotations

import math
from typing import Any

from automl.space import Float, Space

PLUGIN = Space({"x": Float(-5, 10), "y": Float(0, 15)})


def objective(config: dict[str, Any], context: Any) -> float:
    """Branin's function (minimum 0.398), approached like a loss that falls with every step."""
    x, y = config["x"], config["y"]
    valley = y - 5.1 * x**2 / (4 * math.pi**2) + 5 * x / math.pi - 6
    loss = valley**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10
    for step in range(1, 6):
        context.report(step, loss * (1 + 1 / step))  # ends the trial here when its pruner says so
    return loss
