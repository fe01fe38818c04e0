"""Which search has the winner that is exported, and by which rule. The test set has no say in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from automl.contracts import Direction
from automl.report.arms import ArmReport
from automl.report.searches import Best, SearchReport

BY_FRESH: Final = "best mean on validation data over fresh-seed retrainings, among all searches"
BY_VALIDATION: Final = "best value on validation data, among all searches"
BY_FOLDS: Final = "best mean over the folds of the training data, among all searches"
STAR: Final = "★"


@dataclass(frozen=True)
class Chosen:
    """The winning search with its best trial, and the rule by which it was chosen."""

    arm: str
    search: SearchReport
    best: Best
    rule: str

    @property
    def value(self) -> float:
        """What it was chosen by: by folds, that of an ensemble where its trial is not alone."""
        if self.rule.startswith(BY_FRESH):
            return fmean(self.search.fresh)
        combined = self.search.combined if self.rule.startswith(BY_FOLDS) else None
        return self.best.value if combined is None or combined.value is None else combined.value

    def is_of(self, arm: str, seed: int | None = None) -> bool:
        """Whether it is of that arm, and of that seed."""
        return arm == self.arm and seed in (None, self.search.seed)


def choose(arms: Iterable[ArmReport], direction: Direction, *, folds: bool = False) -> Chosen | None:
    """The winner of these arms: by retrainings where there are any; None when no search has a result.

    `folds`: values of trials are means over folds, which estimate better than one retraining does.
    """
    found = [
        Chosen(arm.name, search, search.best, _rule(search, folds))
        for arm in arms
        for search in arm.searches
        if search.best
    ]
    retrained = [chosen for chosen in found if chosen.rule == BY_FRESH]
    sign = 1 if direction is Direction.MAXIMIZE else -1
    return max(retrained or found, key=lambda chosen: sign * chosen.value, default=None)


def _rule(search: SearchReport, folds: bool) -> str:
    if folds:
        return BY_FOLDS
    return BY_FRESH if search.fresh else BY_VALIDATION


def marked(arm: str, chosen: Chosen | None, seed: int | None = None) -> str:
    """The name of an arm, with a star when the exported winner is of it (and of that seed)."""
    return f"{arm} {STAR}" if chosen is not None and chosen.is_of(arm, seed) else arm
