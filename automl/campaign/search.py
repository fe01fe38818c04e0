"""The protocol of live and replayed searches: they propose jobs, take results, name their best trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from automl.campaign.outlook import Outlook
from automl.campaign.settings import SearchSettings
from automl.contracts import (
    Candidate,
    Config,
    Direction,
    Ending,
    Job,
    Outcome,
    PluginSpec,
    Report,
    StoredFile,
    digest,
)
from automl.ledger import SearchRow
from automl.progress import SearchStatus
from automl.stopping import Counts


@dataclass(frozen=True)
class Incumbent:
    """The best complete trial so far: its primary value, and what it evaluated.

    `derived`: the configuration that a one-shot search found. `workdir`: None when nothing was kept;
    `storage`: URL of where that was brought to, `files`: what was. `cost`: device-seconds.
    """

    value: float
    trial: str
    config: Config
    derived: Config | None = None
    workdir: Path | None = None
    storage: str | None = None
    cost: float = 0.0
    files: Mapping[str, StoredFile] | None = None

    @property
    def candidate(self) -> Candidate:
        """The same for a retraining that may combine it with others."""
        workdir = None if self.workdir is None else str(self.workdir)
        return Candidate(self.trial, self.trained, self.value, self.cost, workdir, self.storage, self.files)

    @property
    def trained(self) -> Config:
        """The configuration that is retrained and tested."""
        return self.derived or self.config

    @cached_property
    def key(self) -> str:
        """The digest of that configuration."""
        return digest(self.trained)

    def beats(self, other: Incumbent | None, direction: Direction) -> bool:
        """Whether its value is strictly better; any trial is better than none."""
        return other is None or direction.better(self.value, other.value)


class Search(Protocol):
    """One arm with one seed."""

    row: SearchRow
    settings: SearchSettings
    counts: Counts
    best: Incumbent | None
    refits: bool  # set once its winner's model is to be fitted on all rows: it was tested, and predicts

    @property
    def lacks_refit(self) -> bool:
        """Whether its winner's model is still to be fitted on all rows, if it is the one that predicts."""

    @property
    def cost(self) -> float:
        """Device-seconds of all its trials, retrainings and retries so far, open ones included."""

    @property
    def open_cost(self) -> float:
        """The part of it that is of open ones, as they were told."""

    def alive(self) -> dict[str, float]:
        """Device-seconds of open attempts until now, by their tokens; called from another thread too."""

    @property
    def attempts(self) -> int:
        """Trials, retrainings and retries that it has started."""

    @property
    def devices_held(self) -> float:
        """Devices that its open trials and retrainings hold."""

    @property
    def runs(self) -> bool:
        """Whether its first trial has started and it has not ended."""

    @property
    def pressure(self) -> float:
        """Device-seconds spent, open trials at their expected cost: the search with the least goes first."""

    @property
    def idle(self) -> bool:
        """No trial is open or waiting, and none will come."""

    @property
    def ready(self) -> bool:
        """Whether it could start something now, or conclude."""

    @property
    def outlook(self) -> Outlook:
        """What its winner, as it is now, is expected to need after the search; nothing without a winner."""

    @property
    def final_evaluator(self) -> PluginSpec:
        """The evaluator that retrains its winner, or looks up the winner's fresh-seed values."""

    def propose(self) -> Job | None:
        """The next job, or None when there is none now."""

    def propose_final(self) -> Job | None:
        """The next evaluation of what may win, then the next retraining of the winner, or None."""

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Keep a report; a reason when the trial must end here."""

    def time_left(self, trial: str, token: str, elapsed: float) -> float:
        """Wall seconds that an attempt may go on after `elapsed` device-seconds."""

    def cut(self, trial: str, token: str, reason: str) -> None:
        """Note that an attempt is ended by a limit of the campaign."""

    def stop(self, reason: str) -> None:
        """Start nothing more, no retraining either: a limit of the campaign is reached."""

    def end(self, reason: str) -> None:
        """Start no further trial: a user has asked for that. Its winner is retrained."""

    def drop(self, trial: str, reason: str) -> None:
        """Do not try a trial again that waits for it: a user has asked for that."""

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""

    def lost(
        self, trial: str, token: str, reason: str, ending: Ending = Ending.LOST, used: float | None = None
    ) -> None:
        """The attempt's worker died."""

    def status(self) -> SearchStatus:
        """Its line in the live progress."""


def status_of(
    search: Search, state: str, running: int, open_cost: float = 0.0, wall: float = 0.0, retrained: int = 0
) -> SearchStatus:
    """The status of a search. `open_cost`: device-seconds of its `running` trials so far.

    `wall`: seconds since its first trial; `retrained`: how many retrainings have ended.
    """
    most = search.settings.wall_seconds
    counts = search.counts
    return SearchStatus(
        arm=search.row.arm,
        seed=search.row.seed,
        state=state,
        complete=counts.complete,
        pruned=counts.pruned,
        failed=counts.failed,
        running=running,
        spent=counts.spent + open_cost,
        budget=search.settings.budget,
        best=search.best.value if search.best else None,
        best_trial=search.best.trial if search.best else None,
        trials=1 if search.settings.fixed is not None else search.settings.trials,
        wall=None if most is None else wall / most,
        retrained=retrained,
        retrainings=search.settings.finals,
    )


def alive(searches: Sequence[Search]) -> dict[str, float]:
    """Device-seconds of the open attempts of all `searches` until now, by their tokens."""
    return {token: used for search in searches for token, used in search.alive().items()}
