"""A finished campaign of an objective with values and sizes that are known, written straight into the ledger."""

from __future__ import annotations

from typing import Any

from automl.config import Arm, Budget, Final, SpaceSpec, Study
from automl.contracts import Metric, PluginSpec, TaskSpec
from automl.ledger import Ledger

POINTS = [(0.9, 900.0), (0.8, 300.0), (0.8, 300.0), (0.7, 400.0), (0.5, 100.0), (0.4, 200.0)]  # gain, size
FRONT = [0.9, 0.8, 0.5]
