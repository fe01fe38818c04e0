"""Ends of a live search, or of single trials of it, that a limit of the campaign or a user brings about."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from automl.campaign.state import SearchState
from automl.contracts import Outcome, TrialState
from automl.ledger import TrialRow
from automl.selection import AFTER, NOT_AGAIN


@dataclass
class StoppableState(SearchState, ABC):
    """A live search that can be ended. Open trials are cut through `time_left`."""

    def stop(self, reason: str) -> None:
        """Start nothing more, nothing that follows it either: a limit of the campaign is reached."""
        self._stopped = reason
        for kind in ("trial", *AFTER):
            while (row := self._retries.next(kind, due_only=False)) is not None:
                why = f"{NOT_AGAIN}{reason}"
                self._end(row, Outcome(TrialState.FAILED, 0.0, reason=why))
        self._conclude_if_done()

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

    @property
    def ready(self) -> bool:
        """Whether it could start something now; one that has come to its end must be asked to conclude."""
        if any(self._retries.due(kind) for kind in ("trial", *AFTER)):
            return True
        if self.ended:
            return self._next_after() is not None
        return self._stop_reason() is None or not (self._open or self._retries)

    @abstractmethod
    def _end(self, row: TrialRow, outcome: Outcome) -> None:
        """Take the end of a trial."""

    def _conclude_if_done(self) -> None:
        if self.ended or self._open or self._retries:
            return
        reason = self._stop_reason()
        if reason is not None:
            self.ended = True
            self.ledger.finish_search(self.row.id, reason, self.best.trial if self.best else None)
            self._select()

    @abstractmethod
    def _stop_reason(self) -> str | None:
        """Why it starts no further trial, or None."""


def _not_again(reason: str) -> Outcome:
    return Outcome(TrialState.PRUNED, 0.0, reason=reason)
