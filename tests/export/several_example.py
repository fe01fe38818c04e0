"""A finished campaign of an objective with known values and sizes, written straight into the ledger."""

from __future__ import annotations

POINTS = [(0.9, 900.0), (0.8, 300.0), (0.8, 300.0), (0.7, 400.0), (0.5, 100.0), (0.4, 200.0)]  # gain, size
FRONT = [0.9, 0.8, 0.5]
