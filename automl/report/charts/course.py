"""What the figures of a one-shot search show: plain data, light to import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple


class EpochValue(NamedTuple):
    """A metric after an epoch; None where it was not a finite number."""

    epoch: int
    value: float | None


@dataclass(frozen=True)
class Course:
    """A one-shot search over its epochs.

    `curves`: metric → values; `strengths`: edge → operation → values at `strength_epochs`; `alarm`: the
    epoch after which an alarm rang; `rollback`: the epoch that the search went back to.
    """

    curves: Mapping[str, tuple[EpochValue, ...]]
    strength_epochs: tuple[int, ...]
    strengths: Mapping[str, Mapping[str, tuple[float, ...]]]
    alarm: int | None
    rollback: int | None
