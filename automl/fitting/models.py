"""The models that a campaign over a table has tried, the best first."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from automl.contracts import Config, Direction, Json, TrialState
from automl.report import CampaignReport, collect

if TYPE_CHECKING:
    from automl.ledger import Ledger

SHOWN = 20  # models on a terminal


@dataclass(frozen=True)
class Model:
    """A complete trial. `validation`: the mean over its folds; `test`: of its retrainings, where it has any.

    `seconds`: device-seconds of all its folds; `fitted`: it was retrained, as the winner of each search is.
    """

    trial: str
    arm: str
    config: Config
    validation: float
    test: float | None
    seconds: float
    fitted: bool

    @property
    def family(self) -> str:
        """Which model it is; its trial in a space without families."""
        return str(self.config.get("model", self.trial))


def models(ledger: Ledger, campaign: str) -> tuple[CampaignReport, list[Model]]:
    """The report of a campaign, and its complete trials, the best first."""
    report = collect(ledger, campaign)
    winners = {one.best.trial: one for arm in report.arms.values() for one in arm.searches if one.best}
    arms = {search.id: search.arm for search in ledger.searches(campaign)}
    found = []
    for trial in ledger.trials(campaign=campaign, light=True):
        if trial.kind == "trial" and trial.state is TrialState.COMPLETE and trial.values:
            won = winners.get(trial.id)
            test = sum(won.test) / len(won.test) if won and won.test else None
            fitted = won is not None and bool(won.fresh)
            known = (trial.id, arms[trial.search], trial.config, trial.values[0], test)
            found.append(Model(*known, trial.device_seconds, fitted))
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
    if report.chosen is not None and (refit := report.chosen.search.refit) is not None:
        shown.caption += (
            f"; {refit.trial}, the exported winner fitted on all {refit.rows} rows, predicts: no "
            "score is its own"
        )
    return shown
