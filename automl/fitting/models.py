"""The models that a campaign over a table has tried, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from automl.contracts import Config, Direction, Json, TrialState
from automl.report import CampaignReport, collect
from automl.report.wording import of_intervals

if TYPE_CHECKING:
    from automl.ledger import Ledger

SHOWN = 20  # models on a terminal


@dataclass(frozen=True)
class Model:
    """A complete trial. `validation`: the mean over its folds; `test`: of its retrainings, where it has any.

    `seconds`: device-seconds of all its folds; `fitted`: it was retrained, as the winner of each search is.
    `members`: of an ensemble, which a retraining of the winner has made of its search, 0 for a single model;
    `seconds` are those of its fits.
    """

    trial: str
    arm: str
    config: Config
    validation: float
    test: float | None
    seconds: float
    fitted: bool
    members: int = 0

    @property
    def family(self) -> str:
        """Which model it is; its trial in a space without families."""
        if self.members:
            return f"ensemble of {self.members}"
        return str(self.config.get("model", self.trial))


def models(ledger: Ledger, campaign: str) -> tuple[CampaignReport, list[Model]]:
    """The report of a campaign, its complete trials, and the ensembles made of them, the best first."""
    report = collect(ledger, campaign)
    winners = {one.best.trial: one for arm in report.arms.values() for one in arm.searches if one.best}
    ensembles = {one.combined.trial: one for one in winners.values() if one.combined}
    arms = {search.id: search.arm for search in ledger.searches(campaign)}
    found = []
    for trial in ledger.trials(campaign=campaign, light=True):
        made = None if (search := ensembles.get(trial.id)) is None else search.combined
        if search is not None and made is not None and made.value is not None:
            known = (trial.id, arms[trial.search], trial.config, made.value, _mean(search.test))
            found.append(Model(*known, trial.device_seconds, True, made.members))
        elif trial.kind == "trial" and trial.state is TrialState.COMPLETE and trial.values:
            won = winners.get(trial.id)
            alone = won if won is not None and won.combined is None else None
            test = None if alone is None else _mean(alone.test)
            fitted = alone is not None and bool(alone.fresh)
            own = (trial.id, arms[trial.search], trial.config, trial.values[0], test)
            found.append(Model(*own, trial.device_seconds, fitted))
    sign = -1 if report.metric.direction is Direction.MAXIMIZE else 1
    return report, sorted(found, key=lambda one: sign * one.validation)


def to_json(report: CampaignReport, found: list[Model]) -> Json:
    """The same for programs."""
    return {
        "campaign": report.campaign,
        "metric": report.metric.name,
        "predicts": report.chosen.search.refit.trial
        if report.chosen is not None and report.chosen.search.refit is not None
        else None,
        "models": [asdict(one) for one in found],
    }


def table(report: CampaignReport, found: list[Model]) -> Any:
    """The same for a terminal: something that rich prints."""
    from rich.table import Table  # takes a while to import

    units = report.units
    shown = Table(
        title=f"{report.campaign}: {units.label(report.metric.name)}", box=None, title_justify="left"
    )
    for name in ("", "model", "arm", "validation", "test", "seconds", "trial"):
        shown.add_column(name, justify="left" if name in ("model", "arm", "trial") else "right")
    for place, one in enumerate(found[:SHOWN], start=1):
        test = "–" if one.test is None else units.value(one.test)
        name = f"{one.family} ★" if one.fitted else one.family
        cells = (units.value(one.validation), test, f"{one.seconds:.3g}", one.trial)
        shown.add_row(str(place), name, one.arm, *cells)
    more = f", {len(found) - SHOWN} more models" if len(found) > SHOWN else ""
    shown.caption = f"★ retrained{more}; validation: mean over the folds; seconds: of all folds"
    if any(one.members for one in found):
        shown.caption += ", of an ensemble those of its fits"
    if report.chosen is not None and (by := report.chosen.search.deciding) is not None:
        shown.caption += f"; of the winner {by.told(report.metric.name)}"
    if (won := report.chosen) is not None and (told := of_intervals(won.search.intervals, won.search.sets)):
        shown.caption += f"; of the exported winner, {told}"
    if report.chosen is not None and (refit := report.chosen.search.refit) is not None:
        shown.caption += (
            f"; {refit.trial}, the exported winner fitted on all {refit.rows} rows, predicts: no "
            "score is its own"
        )
    return shown


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None
