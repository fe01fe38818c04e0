"""Trials and curves of a campaign as tables of pandas, which takes a while to import."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from automl.contracts import Scalar
from automl.ledger import SearchRow, TrialRow
from automl.report import CampaignReport

if TYPE_CHECKING:
    import pandas as pd

_FIRST = ("trial", "arm", "seed", "number", "kind", "dataset", "state")
_LAST = ("device_seconds", "attempt", "trial_seed", "started_at", "finished_at", "reason")
_TIMES = ("started_at", "finished_at")


def trials_frame(
    metrics: Sequence[str], searches: Sequence[SearchRow], trials: Sequence[TrialRow]
) -> pd.DataFrame:
    """One row for each trial, those after a search included (see `kind`), in the order of their starts.

    `dataset`: another one than the study's, None on that.
    """
    import pandas as pd  # see the module's docstring

    by_id = {search.id: search for search in searches}
    rows = [_row(metrics, by_id[trial.search], trial) for trial in sorted(trials, key=_started)]
    names = list(dict.fromkeys(name for row in rows for name in row))
    more = {prefix: [n for n in names if n.startswith(f"{prefix}.")] for prefix in ("config", "derived")}
    others = [name for name in names if name.startswith("metric.")]
    columns = [*_FIRST, *metrics, *_LAST, *more["config"], *more["derived"], *others]
    frame = pd.DataFrame(rows, columns=columns)
    for name in _TIMES:
        frame[name] = pd.to_datetime(frame[name], unit="s", utc=True)
    return frame


def _started(trial: TrialRow) -> tuple[float, str]:
    return trial.started_at, trial.id


def _row(metrics: Sequence[str], search: SearchRow, trial: TrialRow) -> dict[str, Any]:
    values: Sequence[float | None] = trial.values or [None] * len(metrics)
    return {
        "trial": trial.id,
        "arm": search.arm,
        "seed": search.seed,
        "number": trial.number,
        "kind": trial.kind,
        "dataset": trial.dataset,
        "state": trial.state.value,
        **dict(zip(metrics, values, strict=True)),
        "device_seconds": trial.device_seconds,
        "attempt": trial.attempt,
        "trial_seed": trial.seed,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
        "reason": trial.reason or "",
        **_prefixed("config", trial.config),
        **_prefixed("derived", trial.derived or {}),
        **_prefixed("metric", trial.metrics or {}),
    }


def _prefixed(prefix: str, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    return {f"{prefix}.{name}": value for name, value in values.items()}


def anytime_frame(report: CampaignReport) -> pd.DataFrame:
    """The best value so far after each complete trial, by the device-seconds of its search until then."""
    import pandas as pd  # see the module's docstring

    rows = [
        (name, search.seed, point.spent, point.best)
        for name, arm in report.arms.items()
        for search in arm.searches
        for point in search.anytime
    ]
    return pd.DataFrame(rows, columns=["arm", "seed", "device_seconds", "best"])
