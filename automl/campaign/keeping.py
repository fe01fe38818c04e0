"""Which trials of a live search keep files: checkpoints those that may win, `KEPT` what may be combined."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from automl.campaign.search import Incumbent
from automl.campaign.settings import SearchSettings
from automl.campaign.workdirs import remove_checkpoints, remove_kept
from automl.contracts import Candidate, Outcome
from automl.files import Leaves
from automl.ledger import TrialRow
from automl.selection import placed


@dataclass
class Keeping:
    """The best complete trials of a search, of distinct configurations, the best first.

    `leaders`: those that may win; `combined`: those that the retraining of the winner may combine with it.
    """

    settings: SearchSettings
    leaders: list[Incumbent] = field(default_factory=list)
    combined: list[Incumbent] = field(default_factory=list)

    def add(self, one: Incumbent) -> None:
        """Take a trial that is complete."""
        settings, direction = self.settings, self.settings.metrics[0].direction
        self.leaders = placed(self.leaders, one, settings.top, direction)
        if settings.combined:
            self.combined = placed(self.combined, one, settings.combined, direction)

    @contextmanager
    def tidied(self, ended: TrialRow) -> Iterator[None]:
        """When a trial has ended, inside the block: files that nobody may need any more are removed."""
        before: dict[str, Leaves] = {ended.id: ended}
        led = before | {one.trial: one.candidate for one in self.leaders}
        kept = before | {one.trial: one.candidate for one in self.combined}
        yield
        for trial in led.keys() - {one.trial for one in self.leaders}:
            remove_checkpoints(led[trial].workdir, led[trial].storage)
        if self.settings.combined:
            for trial in kept.keys() - {one.trial for one in self.combined}:
                remove_kept(kept[trial])

    def ended(self, row: TrialRow, outcome: Outcome) -> None:
        """What follows the search has ended: it keeps neither."""
        remove_checkpoints(row.workdir, row.storage)
        if self.settings.combined:
            remove_kept(Candidate(row.id, {}, 0.0, 0.0, row.workdir, row.storage, outcome.files))

    @property
    def candidates(self) -> list[Candidate]:
        """For the job of a retraining."""
        return [one.candidate for one in self.combined]
