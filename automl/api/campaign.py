"""A campaign of a store, as programs and notebooks look at it and act on it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from automl.api.finding import find_campaign, open_ledger
from automl.api.frames import anytime_frame, trials_frame
from automl.api.shown import Comparison, Report, summary
from automl.comparing.campaigns import compare_campaigns
from automl.contracts import Config, Direction, RunError, UserError
from automl.ledger import CampaignRow, Ledger, Store
from automl.private import private_in
from automl.report import CampaignReport, collect, nothing_found
from automl.report.figures import figure as figure_of
from automl.report.searches import SearchReport
from automl.upkeep import asking
from automl.upkeep.targets import target_of

if TYPE_CHECKING:
    import pandas as pd

    from automl.export.winner import Winner
    from automl.promoting import Decision


@dataclass(frozen=True)
class Best:
    """The winner, or the best trial so far.

    `config`: what is trained; `derived`: whether a one-shot search found it. `value`: the primary one of
    `values`; `fresh`, `test`: of its retrainings.
    """

    config: Config
    value: float
    values: Mapping[str, float]
    arm: str
    seed: int
    trial: str
    derived: bool
    fresh: tuple[float, ...]
    test: tuple[float, ...]


class Campaign:
    """A campaign. What it tells is read from the store each time, so it is as things are now."""

    def __init__(self, name: str, store: Store) -> None:
        self._name, self._store = name, store

    def __repr__(self) -> str:
        return f"<Campaign {self._name}: {self.state}>"

    def __str__(self) -> str:
        return str(self.report)

    def _repr_html_(self) -> str:
        return summary(self.report)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Campaign) and (self._name, self._store) == (other._name, other._store)

    def __hash__(self) -> int:
        return hash((self._name, self._store.url))

    @property
    def name(self) -> str:
        """Its id, such as `nightly-3`."""
        return self._name

    @property
    def store(self) -> Store:
        """Where it is kept."""
        return self._store

    @property
    def study(self) -> str:
        """The name of its study."""
        with self._open() as (_, row):
            return row.study

    @property
    def state(self) -> str:
        """`running`, `finished` or `interrupted`."""
        with self._open() as (ledger, row):
            return ledger.status(row)

    @property
    def report(self) -> Report:
        """How its arms compare: values, verdicts, warnings. `print` it, or look at its fields."""
        with self._open() as (ledger, row):
            return Report(**vars(collect(ledger, row.id)))

    @property
    def best(self) -> Best | None:
        """The winner; while it is not finished, the best trial so far; None when no trial is complete."""
        return best_of(self.report)

    def trials(self) -> pd.DataFrame:
        """One row for each trial: its metrics, state, cost, and `config.x` for each parameter x."""
        with self._open() as (ledger, row):
            metrics = [metric.name for metric in collect(ledger, row.id).settings.metrics]
            return trials_frame(metrics, ledger.searches(row.id), ledger.trials(campaign=row.id))

    def anytime(self) -> pd.DataFrame:
        """`best` so far by `device_seconds`, for each `arm` and `seed`."""
        return anytime_frame(self.report)

    def compare(self, *others: Campaign | str, within: float | None = None) -> Comparison:
        """Compare this campaign with others of the same store, each of them against this one.

        `within`: means this far apart, in the metric's unit, count as no different.
        """
        for other in others:
            if isinstance(other, Campaign) and other._store.url != self._store.url:
                raise UserError(
                    f"campaigns must be in one store to be compared, but {other.name} is in "
                    f"{other._store.shown} and {self._name} in {self._store.shown}; run both in one store"
                )
        names = [other.name if isinstance(other, Campaign) else other for other in others]
        with self._open() as (ledger, row):
            rows = [row, *(find_campaign(ledger, name) for name in names)]
            return Comparison(**vars(compare_campaigns(ledger, rows, within)))

    def figure(self, name: str = "anytime") -> Any:
        """A `plotly.graph_objects.Figure`: anytime, differences, levels, importance, parallel or pareto."""
        return figure_of(self.report, name)

    def export(
        self,
        path: str | Path = "best.yaml",
        *,
        arm: str | None = None,
        form: Literal["yaml", "torch"] = "yaml",
    ) -> Winner:
        """Write the winner with its certificate, as `automl export` does.

        `form`: a YAML file, or a folder with a model that needs torch alone. Raises `UserError` for a
        campaign that has not finished or found nothing.
        """
        # training and torch take seconds to import
        from automl.export.certificate import export_config
        from automl.export.torch_folder import export_torch

        path = Path(path)
        with self._open() as (ledger, row), private_in(self._store.folder, path):
            if form == "torch":
                return export_torch(ledger, row.id, path, arm=arm)
            return export_config(ledger, row.id, path, store=self._store, arm=arm)

    def promote(self, *, arm: str | None = None, force: str = "", dry_run: bool = False) -> Decision:
        """Put the winner (or that of one `arm`) before the gate of its study, as `automl promote` does.

        What the gate says, condition by condition; the winner is the champion where it passes, or where
        `force` gives a reason. `dry_run`: nothing is written. Raises `UserError` for a campaign that cannot
        be judged, `RunError` when the registry is away: the decision holds, and is carried out later.
        """
        from automl.promoting import promote, tell_of_champions  # training takes seconds to import
        from automl.promoting.deciding import Wanted

        with self._open() as (ledger, row):
            decision = promote(ledger, self._store, row.id, Wanted(None, arm, force, dry_run))
            if not dry_run:
                tell_of_champions(ledger, self._store, row.study, logging.getLogger(__name__).warning)
            return decision

    def stop(self) -> str:
        """End it now, from any process or machine; what came of that, in words."""
        with self._open() as (ledger, row):
            return asking.stop(ledger, target_of(ledger, row)).text

    def pause(self) -> str:
        """Start no new trials; open ones go on to their end. What came of that, in words."""
        with self._open() as (ledger, row):
            return asking.pause(ledger, target_of(ledger, row)).text

    def resume(self) -> str:
        """Let a paused campaign go on, or a stopped one when its study is run again."""
        with self._open() as (ledger, row):
            return asking.resume(ledger, target_of(ledger, row)).text

    @contextmanager
    def _open(self) -> Iterator[tuple[Ledger, CampaignRow]]:
        with open_ledger(self._store) as (_, ledger):
            row = ledger.campaign(self._name)
            if row is None:
                raise UserError(f"a campaign must be in its store, but {self._name} is not (any more)")
            yield ledger, row

    def check_found(self) -> None:
        """Raise `RunError` for a finished campaign without a result: a program must not take it for one."""
        why = nothing_found(self.report)
        if why is not None:
            raise RunError(
                f"{self._name} found nothing: {why}; correct the cause and run the study again "
                f"(all tracebacks: automl.open({self._name!r}).report.failures)"
            )


def best_of(report: CampaignReport) -> Best | None:
    """The winner of a report, or the best trial so far."""
    if (chosen := report.chosen) is not None:
        return _best(report, chosen.arm, chosen.search)
    found = [(arm.name, search) for arm in report.arms.values() for search in arm.searches if search.best]
    if not found:
        return None
    sign = 1 if report.metric.direction is Direction.MINIMIZE else -1
    return _best(report, *min(found, key=lambda one: sign * (one[1].best.value if one[1].best else 0.0)))


def _best(report: CampaignReport, arm: str, search: SearchReport) -> Best | None:
    best = search.best
    if best is None:
        return None
    names = [metric.name for metric in report.settings.metrics]
    return Best(
        config=dict(best.trained),
        value=best.value,
        values=dict(zip(names, best.values, strict=True)),
        arm=arm,
        seed=search.seed,
        trial=best.trial,
        derived=best.derived is not None,
        fresh=search.fresh,
        test=search.test,
    )
