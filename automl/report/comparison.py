"""All arms side by side: which values are compared, means over seeds, ranking, and the table of all arms."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from itertools import combinations
from statistics import fmean
from typing import Final

from rich.table import Table
from rich.text import Text

from automl.contracts import Direction, Metric
from automl.report.arms import ArmReport
from automl.report.chosen import STAR, Chosen, marked
from automl.report.interim import ended_seeds, seed_order
from automl.report.judging import Rules, compare, compare_pairs
from automl.report.markup import Column, table
from automl.report.optimism import Optimism, optimism
from automl.report.searches import Level, Refit, SearchReport
from automl.report.settings import StudySettings
from automl.report.statistics import Spread
from automl.report.verdicts import BASELINE, ArmVerdict, arm_verdict
from automl.report.wording import Units, plural, seconds

LEVELS: Final[tuple[Level, ...]] = ("test", "fresh", "validation")
LEGEND: Final = (
    "trials: complete/pruned/failed over all seeds; device time: mean of one search; validation: its best "
    "trial; fresh: the same configuration retrained with new seeds; test: those models on the sealed test set"
)
_HEADINGS: Final = {
    "validation": "validation, best trial",
    "fresh": "validation, fresh seeds",
    "test": "test",
}


@dataclass(frozen=True)
class Summary:
    """An arm's values over its seeds, by level."""

    test: Spread
    fresh: Spread
    validation: Spread

    def level(self, level: Level) -> Spread:
        """The values of one level."""
        return {"test": self.test, "fresh": self.fresh, "validation": self.validation}[level]


@dataclass(frozen=True)
class ArmComparison:
    """`compared`: the level of the verdicts; `ranking`: the names of all arms, best first.

    `pairs`: every pair of three arms or more, the better one first, corrected together.
    """

    compared: Level
    verdicts: tuple[ArmVerdict, ...]
    summary: Mapping[str, Summary]
    ranking: tuple[str, ...]
    pairs: tuple[ArmVerdict, ...]
    optimism: Mapping[str, Optimism]


def compare_arms(arms: Sequence[ArmReport], study: StudySettings, *, finished: bool) -> ArmComparison:
    """The comparison of all arms; `finished`: the campaign is, so that no planned value will come."""
    metric = study.metrics[0]
    look = None if finished else _look(arms, study)
    compared, seeds = look or (_compared(arms, finished), seed_order(arms, study))
    rules = Rules(study.plan, study.equivalent, settled=finished, open=not finished and look is None)
    by_seed = {arm.name: {search.seed: search.value(compared) for search in arm.searches} for arm in arms}
    values = {name: {seed: own[seed] for seed in seeds if seed in own} for name, own in by_seed.items()}
    summary = {arm.name: _summary(arm) for arm in arms}
    known = [value for own in by_seed.values() for value in own.values() if value is not None]
    units = Units.of(metric.name, known)
    sign = -1 if metric.direction is Direction.MAXIMIZE else 1
    means = {name: spreads.level(compared).mean for name, spreads in summary.items()}
    losses = {name: math.inf if mean is None else sign * mean for name, mean in means.items()}
    ranking = tuple(sorted(losses, key=lambda name: losses[name]))
    verdicts = compare(values, BASELINE, metric.direction, rules) if BASELINE in values else []
    pairs = [pair for pair in combinations(ranking, 2) if len(ranking) > 2]
    ranked = compare_pairs(values, pairs, metric.direction, rules)
    in_words = partial(arm_verdict, compared=compared, direction=metric.direction, units=units)
    return ArmComparison(
        compared=compared,
        verdicts=tuple(map(in_words, verdicts)),
        summary=summary,
        ranking=ranking,
        pairs=tuple(map(in_words, ranked)),
        optimism={arm.name: optimism(arm.searches, rules) for arm in arms},
    )


def _look(arms: Sequence[ArmReport], study: StudySettings) -> tuple[Level, list[int]] | None:
    """The last level and the seeds of a look while a campaign runs; None before its first one."""
    wanted: tuple[Level, ...] = ("test", "fresh") if study.finals else ("validation",)
    for level in wanted[:1] if study.dataset and study.finals else wanted:
        ended = ended_seeds(arms, study, partial(_has_ended, level, study.finals))
        if ended is not None:
            return level, ended
    return None


def _has_ended(level: Level, finals: int, _: str, search: SearchReport) -> bool:
    return search.has_ended(level, finals)


def _compared(arms: Sequence[ArmReport], finished: bool) -> Level:
    """The highest level that every arm with a result has reached, one for the whole campaign.

    While a campaign runs, all its searches must have reached it. When it is finished, a search whose
    retraining failed loses its seed, but does not lower the level unless its arm has no other search.
    """
    started = [[search for search in arm.searches if search.best] for arm in arms]
    started = [searches for searches in started if searches]
    enough = any if finished else all
    for level in LEVELS[:-1]:
        reached = [[search.value(level) is not None for search in searches] for searches in started]
        if started and all(enough(searches) for searches in reached):
            return level
    return LEVELS[-1]


def _summary(arm: ArmReport) -> Summary:
    test, fresh, validation = (
        Spread.of([search.value(level) for search in arm.searches]) for level in LEVELS
    )
    return Summary(test, fresh, validation)


def why_chosen(chosen: Chosen, metric: Metric, units: Units) -> str:
    """Which winner is exported and why, in one line."""
    trial = chosen.best.trial.rpartition("/")[2]
    value = f"{units.label(metric.name)} {units.value(chosen.value)}"
    place = f"{chosen.arm}, seed {chosen.search.seed}, trial {trial}"
    return f"{STAR} exported winner: {place}: {value}, {chosen.rule}{refitted(chosen.search.refit)}"


def refitted(refit: Refit | None) -> str:
    """That what predicts was fitted on all rows, and which scores belong to what; "" where it was not."""
    if refit is None:
        return ""
    return (
        f"; fitted again on all {refit.rows} rows, {refit.trial} predicts: it has no score of its own, all "
        "scores are those of the model that was fitted on the training rows"
    )


def terminal_table(
    arms: Sequence[ArmReport],
    comparison: ArmComparison,
    metric: Metric,
    units: Units,
    chosen: Chosen | None = None,
) -> Table:
    """The arms, best first, in 80 columns."""
    seeds = max((len(arm.searches) for arm in arms), default=0)
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    shown.title = Text(f"{units.label(metric.name)}, mean ± sd over {plural(seeds, 'seed')}", style="dim")
    shown.title_justify = "left"
    shown.add_column("arm", overflow="fold")
    shown.add_column("trials", justify="right", no_wrap=True)
    shown.add_column("device time", justify="right", no_wrap=True)
    for level in reversed(LEVELS):
        style = "bold" if level == comparison.compared else ""
        shown.add_column(level, justify="right", no_wrap=True, style=style)
    for arm in arms:
        summary = comparison.summary[arm.name]
        values = [units.spread(summary.level(level)) for level in reversed(LEVELS)]
        shown.add_row(
            Text(marked(arm.name, chosen)),
            "/".join(map(str, arm.counts)),
            seconds(arm.device_seconds),
            *values,
        )
    return shown


def section(
    arms: Sequence[ArmReport],
    comparison: ArmComparison,
    metric: Metric,
    units: Units,
    chosen: Chosen | None = None,
) -> str:
    """The HTML table: trials, cost, values and gaps of each arm, best first."""
    columns = [Column(name) for name in ("arm", "complete", "pruned", "failed", "device time of a search")]
    columns += [
        Column(_HEADINGS[level], "compared" if level == comparison.compared else "")
        for level in reversed(LEVELS)
    ]
    columns += [Column("fresh − best"), Column("test − fresh")]
    rows = [_cells(arm, comparison.summary[arm.name], units, chosen) for arm in arms]
    why = "" if chosen is None else f"<p>{escape(why_chosen(chosen, metric, units))}.</p>\n"
    return f"""{table(columns, rows)}
{why}<p class="soft">{escape(units.label(metric.name))}: mean ± standard deviation over seeds; the last two
columns are means{escape(f", in{units.difference_unit}" if units.difference_unit else "")}. Retraining with
fresh seeds is not part of a search's device time.</p>"""


def _cells(arm: ArmReport, summary: Summary, units: Units, chosen: Chosen | None) -> list[str]:
    return [
        f'{escape(marked(arm.name, chosen))}<br><span class="soft">{escape(arm.description)}</span>',
        *map(str, arm.counts),
        seconds(arm.device_seconds),
        *(units.spread(summary.level(level)) for level in reversed(LEVELS)),
        _mean_gap([search.gaps.validation_to_fresh for search in arm.searches], units),
        _mean_gap([search.gaps.fresh_to_test for search in arm.searches], units),
    ]


def _mean_gap(gaps: Sequence[float | None], units: Units) -> str:
    known = [gap for gap in gaps if gap is not None]
    return units.difference(fmean(known), sign=True) if known else "–"
