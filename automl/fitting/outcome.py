"""What a campaign over a table has found, in words: the model, its scores, what to type next."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

from automl.contracts import INTERVAL_LEVEL, RunError
from automl.fitting.limits import kept
from automl.ledger import Ledger
from automl.report import CampaignReport, collect, nothing_found
from automl.report.chosen import Chosen, choose
from automl.report.nothing import broken
from automl.report.wording import of_intervals


@dataclass(frozen=True)
class Outcome:
    """The model that predicts. `arm`: to name where it is not the winner's; `lines`: what is told."""

    campaign: str
    study: str
    arm: str | None
    lines: tuple[str, ...]


def outcome_of(ledger: Ledger, campaign: str, minutes: float, test_rows: int) -> Outcome:
    """The outcome of a finished campaign. Raises `RunError` when there is no fitted model.

    `minutes`: what it was given; `test_rows`: how many were sealed.
    """
    report = collect(ledger, campaign)
    why = nothing_found(report)
    if why is not None and broken(report, list(report.arms)):
        raise RunError(f"{campaign} found no model that keeps its constraints: {why}; allow more")
    if why is not None:
        longest = max((trial.device_seconds for trial in ledger.trials(campaign=campaign)), default=0.0)
        enough = _minutes(
            max(2 * minutes, longest / 5)
        )  # ten times a part of a trial, in minutes, and a spare
        raise RunError(f"{campaign} found no model in {minutes:g} minutes: {why}; try --minutes {enough}")
    found = _fitted(report)
    if found is None:
        raise RunError(
            f"{campaign} has found configurations, but no time was left to fit one of them; nothing is lost: "
            f"the same command with --minutes {_minutes(2 * minutes)} goes on from there"
        )
    winner = report.chosen
    is_winner = winner is not None and winner.best.trial == found.best.trial
    lines = tuple(_lines(report, found, is_winner, test_rows))
    return Outcome(campaign, report.study, None if is_winner else found.arm, lines)


def _fitted(report: CampaignReport) -> Chosen | None:
    """The winner, or the best one that has been fitted."""
    if report.chosen is not None and report.chosen.search.fresh:
        return report.chosen
    arms = [arm for arm in report.arms.values() if any(search.fresh for search in arm.searches)]
    return choose(arms, report.metric.direction, folds=report.by_folds)


def _lines(report: CampaignReport, found: Chosen, is_winner: bool, test_rows: int) -> Iterator[str]:
    metric, units = report.metric, report.units
    config = ", ".join(f"{name}={value}" for name, value in found.best.trained.items())
    yield f"model: {found.best.trial} of the arm {found.arm}: {config}"
    if not is_winner:
        yield "  a better one was found, but no time was left to fit it: more --minutes go on from there"
    if found.search.combined is not None:
        yield f"  {found.search.combined.told}"
    elif found.search.deciding is not None:
        yield f"  {found.search.deciding.told(metric.name)}"
    label = units.label(metric.name)
    yield f"validation: {label} {units.value(found.value)}, the mean over the folds"
    if found.search.test:
        value = fmean(found.search.test)
        within = units.within(found.search.test_interval)
        yield f"test: {label} {units.value(value)} on {test_rows} rows that no search has seen{within}"
        if told := of_intervals(found.search.intervals, found.search.sets):
            kind = "intervals" if found.search.sets is None else "sets"
            yield f"{kind}: {told}: automl predict {report.study} new.csv --interval {INTERVAL_LEVEL:g}"
    else:
        yield "test: sealed still, since no time was left to open it; more --minutes do"
    yield from kept(report, found)
    yield _predicts(report, found)
    for verdict in report.comparison.verdicts:
        yield f"verdict: {verdict.sentence}"
    for warning in report.warnings:
        yield f"warning: {warning}"


def _predicts(report: CampaignReport, found: Chosen) -> str:
    """Which model predicts: that of the score, or one that was fitted on all rows."""
    refit = found.search.refit
    if refit is not None:
        return (
            f"predicts: the same, fitted again on all {refit.rows} rows ({refit.trial}); the scores above "
            "are of the one that was fitted on the training rows alone"
        )
    why = ", since no time was left to fit it on all rows" if report.settings.refit else ""
    return f"predicts: the model that was scored, fitted on the training rows{why}"


def _minutes(minutes: float) -> str:
    return f"{math.ceil(10 * minutes) / 10 if minutes < 2 else math.ceil(minutes):g}"
