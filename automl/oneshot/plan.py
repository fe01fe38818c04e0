"""How many search epochs fit beside choosing and training a network."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from statistics import fmean

from automl.contracts import Config, Context, RunError
from automl.ranks.group import agreed
from automl.training.protocol import NetworkTrainer

EPOCHS = 50  # without a budget
SLACK = 0.05  # part of the budget that stays unused
BURST = 5.0  # seconds that a busy machine may steal, at most the part BURST_SLACK of the budget
BURST_SLACK = 0.08
MARGIN = 1.1  # the training may take this times its estimate
TIMING = 0.05  # part of the search that may go into timing derived networks
RECENT = 5  # epochs that show a machine becoming slower
BATCHES = 8  # per timing of a derived network


class EpochPlan:
    """How many search epochs fit beside the training of `trainings` networks and the choice among them.

    Times in wall seconds. `limit` is the most epochs, None for as many as fit; `deadline` is
    that of the whole trial; `selection` is the part of the search that choosing a network may take. The cost
    of a training is kept in search epochs, so that both estimates follow a machine that becomes slower or
    faster.
    """

    def __init__(
        self, context: Context, trainer: NetworkTrainer, *, limit: int | None, deadline: float
    ) -> None:
        self.context, self.trainer, self.limit = context, trainer, limit
        self.end = time.monotonic() + deadline
        self.bounded = math.isfinite(context.remaining)
        self.slack = SLACK * self.left() + min(BURST, BURST_SLACK * self.left())
        self.selection = 0.0
        self.trainings = 1
        self.searched = 0.0  # by epochs that are done
        self.durations: list[float] = []
        self.probed = False
        self.timed: dict[str, list[float]] = {}  # by digest: seconds of training / seconds of a search epoch
        self.timing = 0.0
        self.reserve = 0.0  # seconds of the shortest training that may follow

    def left(self) -> float:
        """What is left of the budget and of the deadline."""
        return agreed(min(self.context.remaining / self.context.devices, self.end - time.monotonic()))

    def observe(self, duration: float, *, part: float = 1.0, probe: bool = False) -> None:
        """Take the duration of `part` of an epoch. The first real one replaces what was probed before it."""
        duration = agreed(duration)
        if self.probed:
            self.durations.clear()
            self.timed.clear()
        self.probed = probe
        self.searched += 0.0 if probe else duration
        self.durations.append(duration / part)

    @property
    def duration(self) -> float:
        """What the next epochs are expected to take: it does not rely on a faster phase of the machine."""
        return max(fmean(self.durations), fmean(self.durations[-RECENT:]))

    def epochs(self, done: int, genotypes: Sequence[Config]) -> int:
        """The number of epochs to do in all, never below `done`, before one of `genotypes` is trained.

        On a slow machine one epoch is searched when a training of one epoch still fits after it, or when the
        search of the trial has no value yet: that epoch may then end early (see `exhausted`). Otherwise
        raises `RunError` before the first epoch.
        """
        limit = self.limit or (math.inf if self.bounded else EPOCHS)
        duration = self.duration
        training = self.training_seconds(genotypes, again=False)
        fits = self._for_epochs(MARGIN * training) / duration
        if fits < 1:
            training = self.training_seconds(genotypes, again=True)
            fits = self._for_epochs(MARGIN * training) / duration
        self.reserve = self.epoch_seconds(genotypes[0])
        if not done and fits < 1:
            fits = max(self._first(), (self.left() - training) / duration)
        return int(max(done, min(limit, done + int(fits))))

    def _first(self) -> int:
        """One epoch where only a training of one epoch fits after it, or less. Raises `RunError`."""
        if self.context.needs_value or self.left() - self.reserve >= self.duration:
            return 1
        raise RunError(
            f"the budget must hold a search epoch ({self.duration:.1f} s) and training the derived "
            f"network for one epoch ({self.reserve:.1f} s), but {self.left():.1f} s are left; "
            "raise the budget, or take smaller networks"
        )

    def exhausted(self) -> bool:
        """Whether an epoch must end here, so that a first value can still come: one epoch of training."""
        return self.context.needs_value and self.left() < self.reserve

    def selection_seconds(self, genotypes: Sequence[Config]) -> float:
        """How long choosing a network may take from now on; only the deadline bounds it without a budget."""
        left = self.left() - self.slack - MARGIN * self.training_seconds(genotypes, again=False)
        return self.selection * (self.searched + left) if self.bounded else left

    def _for_epochs(self, training: float) -> float:
        left = self.left() - self.slack - training
        return left - self.selection * (self.searched + left) if self.bounded else left

    def training_seconds(self, genotypes: Sequence[Config], *, again: bool) -> float:
        """How long training takes: of the most expensive of `genotypes`, times the number of trainings.

        Each is the mean of its timings, else the longest known; the first is timed once more when
        that is cheap, and when `again`, and so is each that was never timed.
        """
        known = [self._training(genotype, again and not i) for i, genotype in enumerate(genotypes)]
        return self.trainings * max(known)

    def epoch_seconds(self, genotype: Config) -> float:
        """What one epoch of training `genotype` is expected to take, from timings so far."""
        means = {name: fmean(ratios) for name, ratios in self.timed.items()}
        ratio = means.get(self.context.space.digest(genotype), max(means.values()))
        return self.duration * ratio / self.trainer.options.adjusted(genotype).epochs

    def _training(self, genotype: Config, again: bool) -> float:
        key = self.context.space.digest(genotype)
        cheap = not self.timed or self.timing < TIMING * sum(self.durations)
        if again or cheap:
            start = time.monotonic()
            epochs = self.trainer.options.adjusted(genotype).epochs
            seconds = epochs * self.trainer.seconds_per_epoch(genotype, self.context, batches=BATCHES)
            self.timed.setdefault(key, []).append(seconds / self.duration)
            self.timing += agreed(time.monotonic() - start)
        means = {name: fmean(ratios) for name, ratios in self.timed.items()}
        return self.duration * means.get(key, max(means.values()))
