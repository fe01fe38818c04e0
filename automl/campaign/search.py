"""What every search is to its campaign, live or replayed: it proposes jobs, takes results, names its best."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from automl.campaign.settings import SearchSettings
from automl.contracts import Config, Job, Outcome, PluginSpec, Report
from automl.ledger import SearchRow
from automl.progress import SearchStatus


@dataclass(frozen=True)
class Incumbent:
    """The best complete trial so far: its primary value, and what it evaluated.

    `derived`: the configuration that a one-shot search found. `workdir`: None when nothing was kept.
    """

    value: float
    trial: str
    config: Config
    derived: Config | None = None
    workdir: Path | None = None

    @property
    def trained(self) -> Config:
        """The configuration that is retrained and tested."""
        return self.derived or self.config


class Search(Protocol):
    """One arm with one seed."""

    row: SearchRow
    settings: SearchSettings
    best: Incumbent | None

    @property
    def pressure(self) -> float:
        """Device-seconds spent, open trials at their expected cost: the search with the least goes first."""

    @property
    def idle(self) -> bool:
        """Nothing of it is open or waiting, and nothing will come."""

    @property
    def final_evaluator(self) -> PluginSpec:
        """What retrains its winner, or has the winner's fresh-seed values."""

    def propose(self) -> Job | None:
        """The next job, or None when there is none now."""

    def propose_final(self) -> Job | None:
        """The next fresh-seed retraining of the winner, or None."""

    def report(self, trial: str, token: str, report: Report) -> str | None:
        """Keep a report; a reason when the trial must end here."""

    def finish(self, trial: str, token: str, outcome: Outcome) -> None:
        """Take the end of an attempt."""

    def lost(self, trial: str, token: str, reason: str) -> None:
        """The attempt's worker died."""

    def status(self) -> SearchStatus:
        """What a person sees of it while it runs."""
