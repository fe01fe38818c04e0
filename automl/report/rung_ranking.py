"""Whether the values at a pruner's rungs rank trials as their final values do."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, TypeAlias

from automl.report.chosen import Chosen, marked
from automl.report.evaluations import Trials
from automl.report.markup import Column, note, number, table
from automl.report.records import Records
from automl.report.searches import final_values
from automl.report.settings import ArmSettings, StudySettings

if TYPE_CHECKING:
    from automl.ledger.rows import ReportRow, SearchRow, TrialRow

FEWEST: Final = 5  # trials: with fewer, chance alone gives any tau
TRUSTED: Final = 0.5
SHOWN: Final = 5  # steps of a pruner that decides at every step
TITLE: Final = "Do intermediate values rank trials as final values do?"
ABOUT: Final = (
    "Kendall's tau between the values at a rung and the final values, over the complete trials of all seeds: "
    "1 is the same order, 0 is no relation; ± is the standard deviation by chance alone. Pruned trials have "
    "no final value and are left out, which lowers tau."
)
Curve: TypeAlias = tuple[Mapping[int, float], float]  # values by step, final value


@dataclass(frozen=True)
class Rung:
    """Kendall's tau-b (Biometrika 1938) at `step`, over `trials` complete trials that went on beyond it.

    It compares each trial's first value at or after the rung with its final value. `tau` is None below 5
    trials and where all values are equal. `chance`: standard deviation of tau where there is no relation.
    """

    step: int
    trials: int
    tau: float | None
    chance: float | None

    @property
    def text(self) -> str:
        """Tau ± chance."""
        if self.tau is None or self.chance is None:
            return "–"
        return f"{number(self.tau)} ± {number(self.chance)}"


@dataclass(frozen=True)
class PrunedArm:
    """The rungs of an arm. `per_rung`: its evaluator trains each trial for the next rung."""

    arm: str
    pruner: str
    per_rung: bool
    rungs: tuple[Rung, ...]


def pruned_arms(
    ledger: Records, study: StudySettings, searches: Sequence[SearchRow], trials: Trials
) -> tuple[PrunedArm, ...]:
    """An entry for each arm that prunes, with all seeds together."""
    pruned = []
    for name, arm in study.arms.items():
        if arm.pruner is None or not arm.prunes:
            continue
        curves = [
            curve
            for search in searches
            if search.arm == name
            for curve in _curves(trials[search.id], ledger.reports(search=search.id))
        ]
        last = max((step for steps, _ in curves for step in steps), default=0)
        rungs = tuple(_rung(step, curves) for step in _steps(arm, last) if step < last)
        per_rung = bool(study.evaluator_of(name).options.get("rungs"))
        pruned.append(PrunedArm(name, arm.pruner.name, per_rung, rungs))
    return tuple(pruned)


def _curves(trials: Sequence[TrialRow], reports: Mapping[str, Sequence[ReportRow]]) -> Iterator[Curve]:
    """The curves of the complete trials."""
    for trial in trials:
        values = final_values(trial)
        if trial.kind == "trial" and values is not None:
            reported = {row.step: row.value for row in reports.get(trial.id, ()) if row.value is not None}
            if reported:
                yield reported, values[0]


def _steps(arm: ArmSettings, last: int) -> list[int]:
    """The rungs of an arm's pruner; a few of all steps for one that decides at each, or is not installed."""
    pruner = arm.build_pruner()
    rungs = pruner.rungs(last) if pruner is not None else []
    return rungs or sorted({max(1, last * part // SHOWN) for part in range(1, SHOWN)})


def _rung(step: int, curves: Sequence[Curve]) -> Rung:
    pairs = [
        (values[min(reached)], final)
        for values, final in curves
        if (reached := [other for other in values if other >= step]) and max(values) > step
    ]
    count, tau = len(pairs), _tau(pairs)
    chance = None if tau is None else math.sqrt(2 * (2 * count + 5) / (9 * count * (count - 1)))
    return Rung(step, count, tau, chance)


def _tau(pairs: Sequence[tuple[float, float]]) -> float | None:
    # scipy.stats takes a while to import
    from scipy.stats import kendalltau

    if len(pairs) < FEWEST or any(len(set(side)) < 2 for side in zip(*pairs, strict=True)):
        return None
    tau = float(kendalltau(*zip(*pairs, strict=True)).statistic)
    return tau if math.isfinite(tau) else None


def warnings(arms: Sequence[PrunedArm]) -> list[str]:
    """A line for each arm that prunes by values which rank trials poorly."""
    texts = []
    for arm in arms:
        low = [rung for rung in arm.rungs if rung.tau is not None and rung.tau < TRUSTED]
        if low:
            steps = ", ".join(f"{rung.text} at step {rung.step}" for rung in low)
            remedies = [] if arm.per_rung else ["schedule: per_rung"]
            texts.append(
                f"{arm.arm} prunes by values that rank trials poorly: Kendall's tau with the final value "
                f"is {steps} ({low[0].trials} complete trials), so it may prune the best trials; use "
                f"{', '.join([*remedies, 'a later first rung, or no pruner'])}"
            )
    return texts


def lines(arms: Sequence[PrunedArm]) -> Iterator[str]:
    """One line of text for each pruning arm."""
    for arm in arms:
        shown = [f"step {rung.step}: {rung.text} of {rung.trials}" for rung in arm.rungs]
        yield f"{arm.arm} ({arm.pruner}): {', '.join(shown) or 'no complete trial went beyond a rung'}"


def section(arms: Sequence[PrunedArm], chosen: Chosen | None = None) -> str:
    """The HTML table; empty when no arm prunes."""
    if not arms:
        return ""
    columns = [Column(heading) for heading in ("arm", "pruner", "step", "trials", "tau")]
    rows = [
        [escape(marked(arm.arm, chosen)), escape(arm.pruner), str(rung.step), str(rung.trials), rung.text]
        for arm in arms
        for rung in arm.rungs
    ]
    if not rows:
        return f"<h2>{TITLE}</h2>{note('No complete trial has gone beyond a rung yet.')}"
    return f"<h2>{TITLE}</h2>{table(columns, rows)}{note(ABOUT)}"
