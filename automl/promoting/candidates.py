"""What a finished campaign would promote: its winner, the model that was trained of it, and its values."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from automl.contracts import UserError, digest
from automl.export.certificate import find_winner
from automl.export.known import best_retraining, model_of, refit
from automl.files import MODEL, has_part
from automl.promoting.decision import Measured
from automl.report import collect
from automl.report.chosen import choose
from automl.report.comparable import measured
from automl.report.standing import standing

if TYPE_CHECKING:
    from automl.export.winner import Winner
    from automl.ledger import CampaignRow, Ledger, TrialRow
    from automl.report import CampaignReport
    from automl.report.chosen import Chosen


@dataclass(frozen=True)
class Candidate:
    """A winner with its model. `trained`: the retraining that is best on validation data, if there is one.

    `fitted`: what left the model: the same, or the fit on all rows, where there is one. `has_model`: it has
    left one; false for a winner of which there is a configuration alone.
    """

    row: CampaignRow
    report: CampaignReport
    chosen: Chosen
    winner: Winner
    trained: TrialRow | None
    fitted: TrialRow | None
    has_model: bool

    @contextmanager
    def folder(self) -> Iterator[Path | None]:
        """The folder of its model inside the block, if it has one; see `model_of`."""
        if self.fitted is None or not self.has_model:
            yield None
            return
        with model_of(self.fitted) as folder:
            yield folder

    @property
    def model(self) -> str:
        """What names the model: a study, and a text that only the same training has."""
        fitted = None if self.fitted is None else self.fitted.id
        key = digest([self.winner.certificate.trial, self.winner.trained, fitted])
        return f"{self.row.study}-{key[:12]}"

    @property
    def size(self) -> int | None:
        """Parameters, where the metrics of the retraining or of the winner have them."""
        names = [metric.name for metric in self.report.settings.metrics]
        if self.trained is not None and (self.trained.metrics or {}).get("parameters") is not None:
            return round((self.trained.metrics or {})["parameters"])
        if "parameters" in names:
            return round(self.chosen.best.values[names.index("parameters")])
        return None

    @property
    def metrics(self) -> dict[str, float]:
        """The values of the model on validation data, by metric."""
        values = self.trained.values if self.trained is not None else self.chosen.best.values
        names = [metric.name for metric in self.report.settings.metrics]
        return dict(zip(names, values or (), strict=True))

    @property
    def measured(self) -> Measured:
        """Its values, by which it is compared with a champion."""
        report, search = self.report, self.chosen.search
        one = standing(self.row, report.status, report.arms, report.test_openings)
        arm = report.arms[self.chosen.arm]
        return Measured(
            key=measured(one),
            metric=report.metric.name,
            direction=report.metric.direction.value,
            test=search.test,
            fresh=search.fresh,
            validation=tuple(found.best.value for found in arm.searches if found.best),
        )


def candidate(ledger: Ledger, campaign: str, arm: str | None = None) -> Candidate:
    """The winner of a finished campaign, or of one arm of it.

    Raises `UserError` for a campaign that has not finished or has found nothing, and for an arm that it has
    not, or when a model that was tested is not there any more.
    """
    winner = find_winner(ledger, campaign, arm)
    report, row = collect(ledger, campaign), ledger.campaign(campaign)
    arms = list(report.arms.values()) if arm is None else [report.arms[arm]]
    chosen = choose(arms, report.metric.direction, folds=report.by_folds)
    if row is None or chosen is None:
        raise UserError(f"{campaign} must have a winner to be promoted, but has none any more")
    trained = best_retraining(ledger, winner)
    fitted = refit(ledger, winner) or trained
    has_model = fitted is not None and has_part(fitted, MODEL)
    tested = bool(chosen.search.test) and not winner.tabular
    if trained is not None and trained.workdir and not has_model and tested:
        raise UserError(
            f"the model of a winner must be there to be promoted, but {Path(trained.workdir) / MODEL} is "
            "not; promote it where it was trained, or let its campaign retrain it: "
            f"automl run {row.study} --fresh"
        )
    return Candidate(row, report, chosen, winner, trained, fitted, has_model)
