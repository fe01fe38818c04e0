"""Whether one-shot searches collapsed, which alarm rang first, after which epoch, and what was done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias

from pydantic import JsonValue

from automl.report.charts.course import Course, EpochValue
from automl.report.charts.pictures import course_pictures, embedded
from automl.report.chosen import Chosen, marked
from automl.report.evaluations import Trials
from automl.report.markup import Column, note, number, table
from automl.report.plain import finite
from automl.report.records import Records
from automl.report.settings import StudySettings, option
from automl.report.wording import plural

if TYPE_CHECKING:
    from automl.ledger.rows import ReportRow, SearchRow, TrialRow

PICTURES: Final = 12  # searches whose figures are in the page
POINTS: Final = 40  # epochs of the strengths that are kept
CURVES: Final = (
    "entropy",
    "none_share",
    "skips",
    "eigenvalue",
    "discretisation_gap",
    "supernet_accuracy",
    "path_accuracy",
)
ALARMS: Final = {"eigenvalue": "eigenvalue of the Hessian", "skips": "skip connections"}
CAPTIONS: Final = {
    "course": "Course of the search",
    "strengths": "Strengths of the operations on each edge",
}
TITLE: Final = "Did the one-shot searches collapse?"
ABOUT: Final = (
    "A search has collapsed when the largest eigenvalue of the Hessian of the validation loss with respect "
    "to alpha grows too much, or when too many derived operations are skip connections. Gap: accuracy of the "
    "supernet minus that of its discretised path, with shared weights. Tau: Kendall's tau between supernet "
    "scores and stand-alone scores of random networks. Alarms: time spent on watching for a collapse."
)
Action: TypeAlias = Literal["rollback", "stop", "warn"]
Epochs: TypeAlias = Sequence[tuple[int, Mapping[str, float]]]  # metrics after each epoch


class Alarm(NamedTuple):
    """Collapsed or not, by which alarm, after which epoch, what was done, and the epoch of the rollback."""

    collapsed: bool | None
    alarm: str | None = None
    epoch: int | None = None
    action: Action | None = None
    rollback: int | None = None


@dataclass(frozen=True)
class OneShotSearch:
    """One search of a supernet.

    `collapsed` is None while it runs and when it failed. `watching`: the share of its time that the alarms
    cost; `tau`: Kendall's over `rank_cells` networks. For the others see `Alarm` and `charts.course.Course`.
    """

    arm: str
    seed: int
    trial: str
    method: JsonValue
    state: str
    collapsed: bool | None
    alarm: str | None
    epoch: int | None
    action: Action | None
    rollback: int | None
    epochs: int
    skips: float | None
    tau: float | None
    rank_cells: float | None
    watching: float | None
    curves: Mapping[str, tuple[EpochValue, ...]]
    gap: float | None
    strength_epochs: tuple[int, ...]
    strengths: Mapping[str, Mapping[str, tuple[float, ...]]]
    sentence: str

    @property
    def course(self) -> Course:
        """What its figures show."""
        return Course(self.curves, self.strength_epochs, self.strengths, self.epoch, self.rollback)


def one_shot_searches(
    ledger: Records, study: StudySettings, searches: Sequence[SearchRow], trials: Trials
) -> tuple[OneShotSearch, ...]:
    """An entry for each search of an arm whose evaluator searches by itself."""
    entries = []
    for search in searches:
        if not study.arm(search.arm).one_shot:
            continue
        reports = ledger.reports(search=search.id)
        method = option(study.evaluator_of(search.arm), "method")
        for trial in trials[search.id]:
            if trial.kind == "trial":
                entries.append(_entry(search, trial, method, reports.get(trial.id, ())))
    return tuple(entries)


def _entry(
    search: SearchRow, trial: TrialRow, method: JsonValue, reports: Sequence[ReportRow]
) -> OneShotSearch:
    metrics = {
        name.removeprefix("search_"): value
        for name, value in (trial.metrics or {}).items()
        if name.startswith("search_")
    }
    epochs = [(row.step, row.metrics or {}) for row in reports if row.value is None]
    count = int(metrics.get("epochs", epochs[-1][0] if epochs else 0))
    alarm = _alarm(metrics)
    curves = {name: curve for name in CURVES if (curve := _curve(epochs, f"search_{name}"))}
    seconds, watching = metrics.get("seconds"), metrics.get("health_seconds")
    strength_epochs, strengths = _strengths(epochs)
    return OneShotSearch(
        arm=search.arm,
        seed=search.seed,
        trial=trial.id,
        method=method,
        state=trial.state.value,
        **alarm._asdict(),
        epochs=count,
        skips=finite(metrics.get("skips")),
        tau=finite(metrics.get("rank_tau")),
        rank_cells=finite(metrics.get("rank_cells")),
        watching=finite(watching / seconds) if seconds and watching is not None else None,
        curves=curves,
        gap=curves["discretisation_gap"][-1].value if "discretisation_gap" in curves else None,
        strength_epochs=strength_epochs,
        strengths=strengths,
        sentence=_sentence(alarm, trial.state.value, count),
    )


def _alarm(metrics: Mapping[str, float]) -> Alarm:
    if not metrics.get("collapsed"):
        return Alarm(False if "collapsed" in metrics else None)
    rung = {rule: metrics[f"alarm_{rule}"] for rule in ALARMS if f"alarm_{rule}" in metrics}
    back = metrics.get("rollback_epoch")
    stopped: Action = "stop" if metrics.get("stopped") else "warn"
    return Alarm(
        collapsed=True,
        alarm=min(rung, key=lambda rule: rung[rule], default=None),
        epoch=int(metrics["collapse_epoch"]),
        action=stopped if back is None else "rollback",
        rollback=None if back is None else int(back),
    )


def _curve(epochs: Epochs, name: str) -> tuple[EpochValue, ...]:
    return tuple(EpochValue(step, finite(metrics[name])) for step, metrics in epochs if name in metrics)


def _strengths(epochs: Epochs) -> tuple[tuple[int, ...], dict[str, dict[str, tuple[float, ...]]]]:
    """At most `POINTS` epochs of the strengths, at equal distances, the last one included."""
    kept = [
        (step, metrics) for step, metrics in epochs if any(name.startswith("strength/") for name in metrics)
    ]
    count = min(len(kept), POINTS)
    kept = [kept[(part + 1) * len(kept) // count - 1] for part in range(count)]
    strengths: dict[str, dict[str, tuple[float, ...]]] = {}
    for name in kept[0][1] if kept else ():
        if name.startswith("strength/"):
            _, edge, operation = name.split("/", 2)
            values = tuple(round(metrics.get(name, 0.0), 4) for _, metrics in kept)
            strengths.setdefault(edge, {})[operation] = values
    return tuple(step for step, _ in kept), strengths


def _sentence(alarm: Alarm, state: str, epochs: int) -> str:
    if alarm.collapsed is None and state == "complete":
        return "no alarms were recorded"
    if alarm.collapsed is None:
        ended = "not finished" if state == "running" else f"the trial is {state}"
        return f"{ended} ({plural(epochs, 'epoch')} so far)"
    if not alarm.collapsed or alarm.action is None:
        return f"no alarm in {plural(epochs, 'epoch')}"
    why = ALARMS.get(alarm.alarm or "", "unknown alarm")
    done = {
        "rollback": f"the genotype of epoch {alarm.rollback} was trained",
        "stop": "the search stopped there, and its genotype was trained",
        "warn": "the search continued",
    }[alarm.action]
    return f"collapsed after epoch {alarm.epoch} ({why}); {done}"


def lines(searches: Sequence[OneShotSearch]) -> Iterator[str]:
    """One line of text for each search; for each arm with many seeds."""
    arms: dict[str, list[OneShotSearch]] = {}
    for search in searches:
        arms.setdefault(search.arm, []).append(search)
    for arm, entries in arms.items():
        if len(entries) > 5:
            collapsed = sum(bool(entry.collapsed) for entry in entries)
            yield f"{arm}: {collapsed} of {plural(len(entries), 'search', 'searches')} collapsed"
            continue
        for entry in entries:
            skips = "" if entry.skips is None else f"; {plural(int(entry.skips), 'skip connection')}"
            yield f"{arm}, seed {entry.seed}: {entry.sentence}{skips}"


def section(searches: Sequence[OneShotSearch], chosen: Chosen | None = None) -> str:
    """Table and figures of the HTML page; empty without one-shot searches."""
    if not searches:
        return ""
    columns = [Column(name) for name in ("arm", "seed", "epochs", "skips", "gap", "tau")]
    columns += [Column("alarms, % of the search"), Column("what happened", "text")]
    figures = "".join(_figures(search) for search in searches[:PICTURES])
    shown = table(columns, (_cells(search, chosen) for search in searches))
    return f"<h2>{TITLE}</h2>{shown}{note(ABOUT)}{figures}"


def _cells(search: OneShotSearch, chosen: Chosen | None) -> list[str]:
    tau = number(search.tau)
    tau += f" of {search.rank_cells:.0f}" if search.tau is not None and search.rank_cells is not None else ""
    share = None if search.watching is None else 100 * search.watching
    mark = '<span class="chip worse">collapsed</span> ' if search.collapsed else ""
    cells = [
        escape(marked(search.arm, chosen, search.seed)),
        str(search.seed),
        str(search.epochs),
        number(search.skips, 0),
    ]
    return [*cells, number(search.gap), tau, number(share, 0), f"{mark}{escape(search.sentence)}"]


def _figures(search: OneShotSearch) -> str:
    name = f"{search.arm}, seed {search.seed}"
    pictures = {CAPTIONS[key]: svg for key, svg in course_pictures(search.course).items()}
    shown = "".join(
        f"<figure>{embedded(svg, f'{text}: {name}')}<figcaption>{text}</figcaption></figure>"
        for text, svg in pictures.items()
    )
    opened = " open" if search.collapsed else ""
    return f"<details{opened}><summary>{escape(name)}</summary>{shown}</details>" if shown else ""
