"""Sums over the trials of a search, as a frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass

from automl.contracts import TrialState


@dataclass(frozen=True)
class TotalRow:
    """The trials of a search that are of one kind and state: how many, and their device-seconds.

    `least` and `most`: of one of them.
    """

    search: str
    kind: str
    state: TrialState
    count: int
    device_seconds: float
    least: float
    most: float
