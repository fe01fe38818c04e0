"""The points of metrics that the runs of trials and searches have."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from automl.contracts import Metric, TrialState
from automl.ledger.rows import OpeningRow, ReportRow, SearchRow, TrialRow, TrialSummary
from automl.ledger.winners import retrainings, transfers, winner_opening
from automl.recorder.form import Form
from automl.recorder.points import Anytime, Point, counts, finish_order, millis, summary
from automl.recorder.texts import clean_key
from automl.report.reevaluated import Reevaluated


def report_points(metric: Metric, reports: Sequence[ReportRow]) -> list[Point]:
    """Intermediate values, those of the primary `metric` first: a point per step and report's time."""
    points = []
    name = clean_key(metric.name)
    for report in reports:
        at = millis(report.at)
        if report.value is not None:
            points.append(Point(name, report.value, at, report.step))
        points.append(Point("device_seconds", report.device_seconds, at, report.step))
        points.extend(
            Point(clean_key(key), value, at, report.step) for key, value in (report.metrics or {}).items()
        )
    return points


def trial_points(metrics: Sequence[Metric], trial: TrialRow, reports: Sequence[ReportRow]) -> list[Point]:
    """The reports of a trial, then what its end adds to them at their last step."""
    points = report_points(metrics[0], reports)
    if trial.state is TrialState.RUNNING:
        return points
    step = max((report.step for report in reports), default=0)
    last = {point.key: point.value for point in points if point.step == step}
    at = millis(trial.finished_at or trial.started_at)
    # not before any report: with equal steps MLflow shows the value with the latest time
    at = max([at, *(point.timestamp + 1 for point in points if point.step == step)])
    final = dict(trial.metrics or {})
    final |= dict(zip((metric.name for metric in metrics), trial.values or [], strict=False))
    final["device_seconds"] = trial.device_seconds
    for name, value in final.items():
        key = clean_key(name)
        if last.get(key) != value:
            points.append(Point(key, value, at, step))
    return points


def curve_points(
    metric: Metric, search: SearchRow, trials: Iterable[TrialSummary], form: Form
) -> list[Point]:
    """The anytime curve of a search; after its end also the counts of its `trials`."""
    ended = sorted(
        (trial for trial in trials if trial.kind == "trial" and trial.finished_at is not None),
        key=finish_order,
    )
    anytime = Anytime(metric, form)
    points = [point for trial in ended for point in anytime.add(trial)]
    if search.finished_at is None:
        return points
    found = counts(ended, millis(search.finished_at), zeros=form.earlier)
    return points + [point for point in found if point.key != "device_seconds"]


def winner_points(
    metric: Metric,
    search: SearchRow,
    trials: Sequence[TrialRow],
    openings: Sequence[OpeningRow],
    form: Form,
    again: Reevaluated | None = None,
) -> list[Point]:
    """The fresh-seed and test values of a search that has ended, from its winner and what follows it.

    `openings`: also of the test sets of other datasets. `again`: the evaluations that selected its winner.
    """
    points: list[Point] = []
    if search.finished_at is None:
        return points
    at = millis(search.finished_at)
    winner = next((trial for trial in trials if trial.id == search.winner), None)
    if winner is None:
        return points
    finals = retrainings(winner.derived or winner.config, trials)
    own = [opening for opening in openings if opening.search == search.id]
    opening = winner_opening(winner.id, finals, [one for one in own if one.dataset is None])
    fresh = [trial.values[0] for trial in finals if trial.values]
    if again is not None and again.selected is not None:
        points += summary(clean_key(f"again_{metric.name}"), again.selected.again, at, single=form.earlier)
    if again is not None and again.optimism is not None:
        points.append(Point(clean_key(f"again_minus_best_{metric.name}"), again.optimism, at, 0))
    points += summary(clean_key(f"fresh_{metric.name}"), fresh, at, single=form.earlier)
    test = (opening.values if opening else None) or []
    points += summary(clean_key(f"test_{metric.name}"), test, at, single=form.earlier)
    for dataset in dict.fromkeys(one.dataset for one in own if one.dataset is not None):
        trained = transfers(dataset, winner.derived or winner.config, trials)
        there = winner_opening(winner.id, trained, [one for one in own if one.dataset == dataset])
        elsewhere = (there.values if there else None) or []
        points += summary(clean_key(f"transfer/{dataset}/test"), elsewhere, at, single=form.earlier)
    return points
