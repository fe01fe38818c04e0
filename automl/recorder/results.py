"""What a finished campaign has found, as its run in MLflow shows it: numbers, and the verdicts in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from automl.contracts import RunError
from automl.recorder.texts import clean_key
from automl.report.against import against_last
from automl.report.chosen import choose
from automl.report.comparison import ArmComparison, compare_arms
from automl.report.searches import Level
from automl.report.standing import Standing, standings
from automl.report.statistics import paired
from automl.report.transferred import Transferred, transferred
from automl.report.verdicts import BASELINE

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow, TrialRow
    from automl.report.against import Against
    from automl.report.records import Records

TO_LAST: Final = "difference_to_last"  # of another campaign, which may be deleted


@dataclass(frozen=True)
class Result:
    """`metrics`: by key; `tags` and `sentences`: of the winner and of all verdicts. `last`: see `against`."""

    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()
    last: Against | None = None


def result_of(ledger: Records, campaign: CampaignRow) -> Result:
    """The result of a campaign; an empty one while it is not finished. What is damaged is left out."""
    if campaign.state != "finished":
        return Result()
    last = against_last(ledger, campaign)
    try:
        found = standings(ledger, [campaign])[0]
        comparison = compare_arms(list(found.arms.values()), found.settings, finished=True)
    except RunError:  # the report says what is wrong
        return Result(last=last)
    chosen = choose(found.arms.values(), found.metric.direction, folds=found.by_folds)
    others = _transfers(ledger, campaign, found)
    told = (*comparison.verdicts, *(verdict for one in others for verdict in one.verdicts))
    sentences = tuple(verdict.sentence for verdict in told)
    if chosen is None:
        return Result(sentences=sentences, last=last)
    metrics = dict([*_metrics(found, comparison, chosen.arm), *_elsewhere(others)])
    if last is not None and last.best is not None and last.best.difference.mean is not None:
        metrics[TO_LAST] = last.best.difference.mean
    verdict = next((verdict for verdict in comparison.verdicts if verdict.arm == chosen.arm), None)
    tags = {
        "automl.winner": chosen.best.trial,
        "automl.winner.arm": chosen.arm,
        "automl.winner.seed": str(chosen.search.seed),
        "automl.verdict": "" if verdict is None else verdict.verdict,
        "automl.verdict.sentence": "" if verdict is None else verdict.sentence,
    }
    return Result(metrics, tags, sentences, last)


def _metrics(found: Standing, comparison: ArmComparison, arm: str) -> Iterator[tuple[str, float]]:
    """The best value, means of the winner's arm over its seeds with 95 % intervals, and its difference."""
    name, better = found.metric.name, found.metric.direction.better
    best: float | None = None
    for search in (search for each in found.arms.values() for search in each.searches):
        value = search.value("validation")
        if value is not None and (best is None or better(value, best)):
            best = value
    if best is not None:
        yield clean_key(f"best_{name}"), best
    levels: tuple[Level, ...] = ("fresh", "test")
    for level in levels:
        values = [value for search in found.arms[arm].searches if (value := search.value(level)) is not None]
        if values:
            spread = paired(values)
            yield from _with_interval(clean_key(f"{level}_{name}"), spread.mean, spread.interval)
    verdict = next((verdict for verdict in comparison.verdicts if verdict.arm == arm), None)
    if verdict is not None:
        yield from _with_interval(f"difference_to_{BASELINE}", verdict.difference, verdict.interval)


def _transfers(ledger: Records, campaign: CampaignRow, found: Standing) -> tuple[Transferred, ...]:
    """The winners on other datasets; none of a study without them, whose trials are not read."""
    if not found.settings.transfer:
        return ()
    trials: dict[str, list[TrialRow]] = defaultdict(list)
    for trial in ledger.trials(campaign=campaign.id):
        trials[trial.search].append(trial)
    searches = ledger.searches(campaign.id)
    return transferred(ledger, campaign.id, found.settings, found.arms, searches, trials, finished=True)


def _elsewhere(others: Sequence[Transferred]) -> Iterator[tuple[str, float]]:
    """The mean of each arm on each other dataset, and its difference to random search there."""
    for one in others:
        for arm in one.arms:
            if arm.test.mean is not None:
                yield clean_key(f"transfer/{one.dataset}/{arm.arm}/test"), arm.test.mean
        for verdict in one.verdicts:
            key = clean_key(f"transfer/{one.dataset}/{verdict.arm}/difference_to_{BASELINE}")
            yield from _with_interval(key, verdict.difference, verdict.interval)


def _with_interval(
    key: str, mean: float | None, interval: tuple[float, float] | None
) -> Iterator[tuple[str, float]]:
    if mean is not None:
        yield key, mean
    if interval is not None:
        yield from zip((f"{key}_low", f"{key}_high"), interval, strict=True)
