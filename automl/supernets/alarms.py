"""Health of a supernet search: what is watched, when an alarm rings, and where to go back to.

Two alarms tell that a search by gradient descent prefers what is easy to train to what is good. The largest
eigenvalue of the Hessian of the validation loss with respect to alpha rises when the search settles where
discretisation hurts (Zela et al. 2020, section 4.3, https://arxiv.org/abs/1909.09656); skip connections then
take over the derived cell (Liang et al. 2019, https://arxiv.org/abs/1909.06035). Functions of plain numbers:
what measures them is elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Final, Literal

import torch
from pydantic import Field
from torch import Tensor

from automl import contracts

Reading = tuple[int, float]  # epoch, value


class AlarmOptions(contracts.Options):
    """When the alarms ring; the defaults are the published rules.

    The mean of `window` eigenvalues is compared with that of `delta` readings earlier, whose middle lies at
    epoch `start` or later; more than `factor` times as much rings. So does the part `skips` of skip
    connections among the derived operations, from epoch `start` on and always at the end.
    """

    window: int = Field(5, ge=1)
    delta: int = Field(4, ge=1)
    factor: float = Field(1.3, gt=1)
    start: int = Field(10, ge=0)
    skips: float = Field(0.625, gt=0, le=1)


DEFAULTS: Final = AlarmOptions.model_validate({})


@dataclass(frozen=True)
class Alarm:
    """`rule` rang after `epoch`; epoch `rollback` was the last healthy one (None: none was)."""

    rule: Literal["eigenvalue", "skips"]
    epoch: int
    rollback: int | None


def eigenvalue_alarm(readings: Sequence[Reading], options: AlarmOptions = DEFAULTS) -> Alarm | None:
    """The first time the local mean of the eigenvalue has grown too much; the way back is the earlier middle.

    `readings` are evenly spaced; one between two of them (a last epoch) is passed over. By default the rule
    of Zela et al. (2020), who read every second epoch: the mean of 5 readings against the mean of the 5 that
    lie 4 readings earlier, factor 1.3, from epoch 10.
    """
    even = _evenly_spaced(readings)
    window, delta = options.window, options.delta
    means = [fmean(value for _, value in even[i : i + window]) for i in range(len(even) - window + 1)]
    middles = [even[i + window // 2][0] for i in range(len(means))]
    for now in range(delta, len(means)):
        earlier = now - delta
        if middles[earlier] < options.start or means[earlier] <= 0:
            continue
        if means[now] / means[earlier] > options.factor:
            return Alarm("eigenvalue", even[now + window - 1][0], middles[earlier])
    return None


def _evenly_spaced(readings: Sequence[Reading]) -> list[Reading]:
    if len(readings) < 2:
        return list(readings)
    first = readings[0][0]
    cadence = readings[1][0] - first
    return [reading for reading in readings if (reading[0] - first) % cadence == 0]


def skip_limit(derived: int, options: AlarmOptions = DEFAULTS) -> int:
    """How many skip connections among `derived` operations ring the alarm: 5 of 8, 4 of 6."""
    return math.ceil(options.skips * derived)


def skip_alarm(counts: Sequence[tuple[int, int]], limit: int, *, start: int = 0) -> Alarm | None:
    """The first epoch from `start` on with `limit` skip connections; the way back is the last one below it.

    `counts` are (epoch, skip connections of the derived genotype), by epoch.
    """
    healthy = None
    for epoch, skips in counts:
        if skips < limit:
            healthy = epoch
        elif epoch >= start:
            return Alarm("skips", epoch, healthy)
    return None


def mean_entropy(strengths: Tensor) -> float:
    """Entropy of the strengths of an edge in nats, mean over the edges of (edges, operations)."""
    return float(torch.special.entr(strengths).sum(1).mean())


def mean_share(strengths: Tensor, allowed: Tensor, column: int) -> float | None:
    """Mean strength of the operation `column` over the edges on which it is allowed; None without any."""
    rows = allowed[:, column]
    return float(strengths[rows, column].mean()) if bool(rows.any()) else None


def kendall_tau(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Kendall's tau-b of two rankings (Biometrika 1938 and 1945, for ties); None where one is constant."""
    concordant, untied = 0, [0, 0]
    for (a, b), (c, d) in combinations(zip(first, second, strict=True), 2):
        signs = [(a > c) - (a < c), (b > d) - (b < d)]
        concordant += signs[0] * signs[1]
        untied = [count + abs(sign) for count, sign in zip(untied, signs, strict=True)]
    return concordant / math.sqrt(untied[0] * untied[1]) if all(untied) else None
