"""Ends of a live search, or of single trials of it, that a user asks for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from automl.campaign.state import SearchState
from automl.contracts import Outcome, TrialState
from automl.ledger import TrialRow


@dataclass
class StoppableState(SearchState, ABC):
    """A live search that can end at a request. Open trials are cut through `time_left`, as by a limit."""

    def end(self, reason: str) -> None:
        """Start no further trial; the winner is retrained, unlike after `stop`."""
        if self.ended or self._asked:
            return
        self._asked = reason
        while (row := self._retries.next("trial", due_only=False)) is not None:
            self._end(row, _not_again(reason))
        self._conclude_if_done()

    def drop(self, trial: str, reason: str) -> None:
        """Do not try a trial again that waits for it; it has paid for its attempts."""
        if (row := self._retries.take(trial)) is not None:
            self._end(row, _not_again(reason))

    @abstractmethod
    def _end(self, row: TrialRow, outcome: Outcome) -> None:
        """Take the end of a trial."""

    @abstractmethod
    def _conclude_if_done(self) -> None:
        """End the search when nothing of it is open."""


def _not_again(reason: str) -> Outcome:
    return Outcome(TrialState.PRUNED, 0.0, reason=reason)
