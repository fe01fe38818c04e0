"""The curves of searches in MLflow, which grow as trials end."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from automl.recorder.points import Anytime, Point, finish_order

if TYPE_CHECKING:
    from automl.ledger.rows import TrialSummary
    from automl.recorder.projection import Projection
    from automl.recorder.writer import Writer


class Curves:
    """The best values so far of a campaign's searches; one sum for each search is kept in memory.

    After a failure to write, the same points are written again.
    """

    def __init__(self) -> None:
        self._anytime: dict[str, Anytime] = {}  # by search
        self._ended: list[TrialSummary] = []  # recorded, not yet part of their search's curve
        self._waiting: dict[str, list[Point]] = {}  # by uid: points that are still to be written

    def restore(self, projection: Projection, trials: Iterable[TrialSummary]) -> None:
        """Go on behind trials of a search that are in its curve."""
        for trial in sorted(trials, key=finish_order):
            self._advance(projection, trial)

    def note(self, trial: TrialSummary) -> None:
        """Note that a trial that has ended is recorded."""
        self._ended.append(trial)

    def write(self, projection: Projection, writer: Writer) -> None:
        """Extend the curves by the trials that have ended, in the order of their ends."""
        for trial in sorted(self._ended, key=finish_order):
            points = self._advance(projection, trial)
            self._waiting.setdefault(projection.uid(trial.search), []).extend(points)
        self._ended.clear()
        writer.append(self._waiting)
        self._waiting.clear()

    def _advance(self, projection: Projection, trial: TrialSummary) -> list[Point]:
        if trial.kind != "trial":
            return []
        new = Anytime(projection.metrics[0], projection.form)
        return self._anytime.setdefault(trial.search, new).add(trial)
