"""Scores of meta-learners on new tasks: intervals, meta-overfitting, steps of adaptation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from statistics import fmean
from typing import TYPE_CHECKING, Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from automl.contracts import ADAPTATION_STEPS, PluginSpec, TrialState
from automl.ledger.winners import retrainings, winner_opening
from automl.report.chosen import Chosen, marked
from automl.report.evaluations import Trials
from automl.report.markup import Column, note, table
from automl.report.plain import finite
from automl.report.settings import StudySettings, option
from automl.report.wording import Units, plural

if TYPE_CHECKING:
    from automl.ledger.rows import OpeningRow, SearchRow, TrialRow

GROUPS: Final = {
    False: "Batch-norm statistics of a query come from its support set",
    True: "Transductive: batch-norm statistics of a query come from the other queries",
}
COLUMNS: Final = (
    "arm",
    "learner",
    "backbone",
    "meta-train",
    "meta-validation",
    "meta-test [95 %]",
    "test − train",
    f"after {', '.join(map(str, ADAPTATION_STEPS))} steps",
    "training tasks",
)
ABOUT: Final = (
    "Means over the retrained winners, all on the same episodes. Brackets: 95 % interval over the episodes, "
    "the mean of the models' intervals. Test − train: the drop on new classes or functions. Values after "
    "0, 1, 3, 5, 10 steps of adaptation: only for learners that adapt by steps."
)


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval over the episodes."""

    mean: float | None
    low: float | None
    high: float | None

    def text(self, units: Units) -> str:
        """`mean [low, high]`."""
        if self.low is None:
            return units.value(self.mean)
        return f"{units.value(self.mean)} [{units.value(self.low)}, {units.value(self.high)}]"


@dataclass(frozen=True)
class FewShotArm:
    """The models of one arm (and one setting of `transductive`), pooled over seeds.

    `episodes`: how many fixed ones; `batched`: share of the models whose training tasks ran at once (None:
    unknown); `train`, `validation`, `test`: the metric on meta-train, meta-validation and meta-test tasks
    (`test` is None while the test set is sealed); `gap`: test − train; `steps`: value after so many steps
    of adaptation; `shots`: the same as `test` with other numbers of shots.
    """

    arm: str
    transductive: bool
    episodes: int | None
    learner: str
    backbone: str
    batched: float | None
    models: int
    train: float | None
    validation: float
    test: Interval | None
    gap: float | None
    steps: Mapping[str, float]
    shots: Mapping[str, Interval]


@dataclass
class _Pool:
    """Models of one arm, while they are gathered; `details`: what each measured on the test episodes."""

    models: list[TrialRow] = field(default_factory=list)
    details: list[dict[str, float]] = field(default_factory=list)
    learners: set[str] = field(default_factory=set)
    backbones: set[str] = field(default_factory=set)


def few_shot_arms(
    study: StudySettings, searches: Sequence[SearchRow], trials: Trials, openings: Sequence[OpeningRow]
) -> tuple[FewShotArm, ...]:
    """An entry for each arm of a few-shot study; two where its winners differ in `transductive`."""
    if study.episodes is None:
        return ()
    pools: dict[tuple[str, bool], _Pool] = {}
    for search in searches:
        winner = next((row for row in trials[search.id] if row.id == search.winner), None)
        models = [] if winner is None else _models(winner, trials[search.id])
        if winner is None or not models:
            continue
        spec = study.evaluator_of(search.arm)
        spec = PluginSpec(spec.name, spec.options | models[0].config)
        pool = pools.setdefault((search.arm, bool(spec.options.get("transductive", False))), _Pool())
        pool.models += models
        pool.learners.add(str(option(spec, "learner")))
        width = f"-{spec.options['width']}" if "width" in spec.options else ""
        pool.backbones.add(f"{option(spec, 'backbone')}{width}")
        opening = winner_opening(winner.id, models, (one for one in openings if one.search == search.id))
        pool.details += (opening.details if opening else None) or []
    return tuple(_entry(study, arm, transductive, pool) for (arm, transductive), pool in pools.items())


def _models(winner: TrialRow, rows: Sequence[TrialRow]) -> list[TrialRow]:
    """The retrained winners; the winner itself where there are none."""
    finals = retrainings(winner.derived or winner.config, rows)
    return [row for row in finals if row.state is TrialState.COMPLETE and row.values] or [winner]


def _entry(study: StudySettings, arm: str, transductive: bool, pool: _Pool) -> FewShotArm:
    metric, episodes = study.metrics[0].name, study.episodes
    metrics = [model.metrics or {} for model in pool.models]
    train, test = _mean(metrics, f"train_{metric}"), _interval(pool.details, metric)
    after = {step: _mean(pool.details, f"{metric}_after_{step}") for step in ADAPTATION_STEPS}
    more_shots = episodes.more_shots if episodes is not None and test.mean is not None else ()
    return FewShotArm(
        arm=arm,
        transductive=transductive,
        episodes=episodes.count if episodes is not None else None,
        learner=" / ".join(sorted(pool.learners)),
        backbone=" / ".join(sorted(pool.backbones)),
        batched=_mean(metrics, "batched"),
        models=len(pool.models),
        train=train,
        validation=fmean(model.values[0] for model in pool.models if model.values),
        test=test if test.mean is not None else None,
        gap=test.mean - train if test.mean is not None and train is not None else None,
        steps={str(step): value for step, value in after.items() if value is not None},
        shots={str(shots): _interval(pool.details, f"{metric}_{shots}_shot") for shots in more_shots},
    )


def _interval(rows: Sequence[Mapping[str, float]], name: str) -> Interval:
    return Interval(*(_mean(rows, f"{name}{bound}") for bound in ("", "_low", "_high")))


def _mean(rows: Sequence[Mapping[str, float]], name: str) -> float | None:
    values = [row[name] for row in rows if row.get(name) is not None]
    return finite(fmean(values)) if values else None


def terminal(
    arms: Sequence[FewShotArm], units: Units, chosen: Chosen | None = None
) -> Iterator[RenderableType]:
    """The narrow tables for 80 columns; `arms` best first."""
    for title, rows in _tables(arms, units):
        shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        shown.title, shown.title_justify = Text(f"\n{title}", style="dim"), "left"
        shown.add_column("arm", overflow="fold")
        last = f"after {'/'.join(map(str, ADAPTATION_STEPS))} steps"
        for name in ("train", "test [95 %]", "− train", last):
            shown.add_column(name, justify="right")
        for arm, _, _, train, _, test, gap, steps, _ in rows:
            shown.add_row(Text(marked(arm, chosen)), train, Text(test), gap, steps)
        yield shown
    if arms:
        yield Text(ABOUT, style="dim")


def section(arms: Sequence[FewShotArm], metric: str, units: Units, chosen: Chosen | None = None) -> str:
    """The HTML tables, `arms` best first; empty when the study has no few-shot tasks."""
    if not arms:
        return ""
    columns = [Column(name) for name in COLUMNS]
    parts = [
        f"<h3>{escape(title)}</h3>"
        + table(columns, [[escape(cell) for cell in (marked(row[0], chosen), *row[1:])] for row in rows])
        for title, rows in _tables(arms, units)
    ]
    about = f"{units.label(metric)}, on {plural(arms[0].episodes or 0, 'episode')}. {ABOUT}"
    return f"<h2>Scores on new tasks</h2>{''.join(parts)}{note(about)}"


def _tables(arms: Sequence[FewShotArm], units: Units) -> Iterator[tuple[str, list[list[str]]]]:
    """The title of each group and its rows, a text for each column of `COLUMNS`."""
    for transductive, title in GROUPS.items():
        rows = [_cells(arm, units) for arm in arms if arm.transductive is transductive]
        if rows:
            yield title, rows


def _cells(arm: FewShotArm, units: Units) -> list[str]:
    test = arm.test.text(units) if arm.test else "–"
    for shots, interval in arm.shots.items():
        test += f"; {shots}-shot {interval.text(units)}"
    steps = " / ".join(units.value(arm.steps.get(str(step))) for step in ADAPTATION_STEPS)
    ways = "–" if arm.batched is None else {0.0: "one by one", 1.0: "batched"}.get(arm.batched, "both")
    return [
        arm.arm,
        arm.learner,
        arm.backbone,
        units.value(arm.train),
        units.value(arm.validation),
        test,
        "–" if arm.gap is None else units.difference(arm.gap, sign=True),
        steps if arm.steps else "–",
        ways,
    ]
