"""Choosing a configuration within the time that is left."""

from __future__ import annotations

from automl.supernets.base import Mixture, Selection


class Timed:
    """A `Selection` that starts no work that would probably end too late.

    Each piece of work is expected to last as long as the longest one of its kind so far.
    """

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.scored = 0
        self._longest = {"accuracy": 0.0, "train": 0.0}

    def accuracy(self, mixture: Mixture) -> float | None:
        """Accuracy of a mixture; None when there is no time."""
        before = self.selection.left()
        if not self._fits("accuracy", before):
            return None
        value = self.selection.accuracy(mixture)
        self._observe("accuracy", before)
        self.scored += 1
        return value

    def train(self, steps: int, *, scores: int = 0) -> None:
        """`steps` more steps, or none when there is no time for them and `scores` scores afterwards."""
        before = self.selection.left()
        if steps and self._fits("train", before - scores * self._longest["accuracy"]):
            self.selection.train(steps)
            self._observe("train", before)

    def _fits(self, kind: str, left: float) -> bool:
        return left > 0 and left >= self._longest[kind]

    def _observe(self, kind: str, before: float) -> None:
        seconds = before - self.selection.left()
        if seconds > self._longest[kind]:  # not so for inf − inf, without a limit
            self._longest[kind] = seconds
