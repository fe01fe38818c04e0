"""The space and the objective of `function_cut.yaml`, slow enough to be killed in the middle."""

from __future__ import annotations

import time
from typing import Any

from automl.space import Float, Space

PLUGIN = Space({"x": Float(-5, 10), "y": Float(0, 15)})


def objective(config: dict[str, Any], context: Any) -> float:
    """A parabola, reported in three steps."""
    loss: float = (config["x"] - 1) ** 2 + (config["y"] - 2) ** 2
    for step in range(1, 4):
        time.sleep(0.05)
        context.report(step, loss * (1 + 1 / step))
    return loss
