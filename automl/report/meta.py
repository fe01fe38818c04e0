"""What meta-learners are worth on tasks of new classes: intervals, meta-overfitting, steps of adaptation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from automl.contracts import ADAPTATION_STEPS, TrialState
from automl.report.wording import Units, plural

if TYPE_CHECKING:
    from automl.ledger.rows import OpeningRow, SearchRow, TrialRow

GROUPS: Final = {
    False: "Batch-norm statistics of a query from its support set",
    True: "Transductive: batch-norm statistics of a query from the other queries",
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
    "training tasks run",
)
ABOUT: Final = (
    "Means over retrained winners, all on the same episodes. Brackets: 95 % interval over the episodes, "
    "the mean of the models' own. Test − train: what is lost on new classes or functions. After "
    "0, 1, 3, 5, 10: steps of adaptation, where a learner goes by steps."
)


def meta(
    spec: Mapping[str, Any],
    searches: Sequence[SearchRow],
    trials: Mapping[str, Sequence[TrialRow]],
    openings: Sequence[OpeningRow],
) -> list[dict[str, Any]]:
    """An entry for each arm of a few-shot study; two where its winners differ in `transductive`.

    `learner`, `backbone`, `transductive`; `batched`: share of the models whose tasks ran at once in training
    (None: unknown); `models` pooled and `episodes` of each; the metric on meta-`train`, meta-`validation` and
    meta-`test` (`mean`, `low`, `high`; None while it is sealed); `gap`: test − train; `steps` → value;
    `shots` → the same as `test` with other numbers of shots.
    """
    task = spec["task"]
    if not task.get("episodes"):
        return []
    groups: dict[tuple[str, bool], _Group] = {}
    for search in searches:
        models = _models(search, trials[search.id])
        if not models:
            continue
        arm = spec["arms"].get(search.arm, {})
        options = (arm.get("evaluator") or spec["evaluator"])["options"] | models[0].config
        key = (search.arm, bool(options.get("transductive", False)))
        more_shots = task["episodes"].get("more_shots") or ()
        group = groups.setdefault(key, _Group(task["metrics"][0]["name"], more_shots))
        group.add(options, models)
        own = [opening.details for opening in openings if opening.search == search.id and opening.details]
        group.details += own[0] if own else []
    episodes = task["episodes"].get("count")
    return [
        {"arm": arm, "transductive": transductive, "episodes": episodes, **group.entry()}
        for (arm, transductive), group in groups.items()
    ]


class _Group:
    """Models of one arm, pooled."""

    def __init__(self, metric: str, more_shots: Sequence[int]) -> None:
        self.metric = metric
        self.more_shots = more_shots
        self.models: list[TrialRow] = []
        self.details: list[dict[str, float]] = []
        self.learners: set[str] = set()
        self.backbones: set[str] = set()

    def add(self, options: Mapping[str, Any], models: Sequence[TrialRow]) -> None:
        """Models that were trained by `options`."""
        self.models += models
        self.learners.add(str(options.get("learner", "maml")))
        width = f"-{options['width']}" if "width" in options else ""
        self.backbones.add(f"{options.get('backbone', 'auto')}{width}")

    def entry(self) -> dict[str, Any]:
        """What is known of them."""
        test = self._interval("")
        metrics = [model.metrics or {} for model in self.models]
        train = self._mean(metrics, f"train_{self.metric}")
        opened = test["mean"] is not None
        after = {
            str(step): self._mean(self.details, f"{self.metric}_after_{step}") for step in ADAPTATION_STEPS
        }
        return {
            "learner": " / ".join(sorted(self.learners)),
            "backbone": " / ".join(sorted(self.backbones)),
            "batched": self._mean(metrics, "batched"),
            "models": len(self.models),
            "train": train,
            "validation": fmean(model.values[0] for model in self.models if model.values),
            "test": test if opened else None,
            "gap": test["mean"] - train if test["mean"] is not None and train is not None else None,
            "steps": {step: value for step, value in after.items() if value is not None},
            "shots": {str(shots): self._interval(f"_{shots}_shot") for shots in self.more_shots if opened},
        }

    def _interval(self, end: str) -> dict[str, float | None]:
        parts = (("mean", ""), ("low", "_low"), ("high", "_high"))
        return {part: self._mean(self.details, f"{self.metric}{end}{bound}") for part, bound in parts}

    @staticmethod
    def _mean(rows: Sequence[Mapping[str, float]], name: str) -> float | None:
        found = [row[name] for row in rows if row.get(name) is not None]
        return fmean(found) if found else None


def _models(search: SearchRow, rows: Sequence[TrialRow]) -> list[TrialRow]:
    """The retrained winners; the winner itself where there are none."""
    complete = [row for row in rows if row.state is TrialState.COMPLETE and row.values]
    finals = [row for row in complete if row.kind == "final"]
    return finals or [row for row in complete if row.id == search.winner]


def table(data: Mapping[str, Any], units: Units) -> Iterator[tuple[str, list[list[str]]]]:
    """The title of each group and its rows, a text for each column of `COLUMNS`."""
    order = {arm: place for place, arm in enumerate(data["ranking"])}
    entries = sorted(data["meta"], key=lambda entry: order.get(entry["arm"], len(order)))
    for transductive, title in GROUPS.items():
        rows = [_row(entry, units) for entry in entries if entry["transductive"] is transductive]
        if rows:
            yield title, rows


def _row(entry: Mapping[str, Any], units: Units) -> list[str]:
    test, batched = entry["test"], entry["batched"]
    shown = _shown(test, units) if test else "–"
    for shots, other in entry["shots"].items():
        shown += f"; {shots}-shot {_shown(other, units)}"
    steps = " / ".join(units.value(entry["steps"].get(str(step))) for step in ADAPTATION_STEPS)
    ways = "–" if batched is None else {0.0: "one by one", 1.0: "at once"}.get(batched, "both")
    return [
        entry["arm"],
        entry["learner"],
        entry["backbone"],
        units.value(entry["train"]),
        units.value(entry["validation"]),
        shown,
        "–" if entry["gap"] is None else units.difference(entry["gap"], sign=True),
        steps if entry["steps"] else "–",
        ways,
    ]


def _shown(found: Mapping[str, float | None], units: Units) -> str:
    if found["low"] is None:
        return units.value(found["mean"])
    return f"{units.value(found['mean'])} [{units.value(found['low'])}, {units.value(found['high'])}]"


def section(data: Mapping[str, Any], units: Units) -> str:
    """The HTML tables; empty when the study has no few-shot tasks."""
    if not data["meta"]:
        return ""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in COLUMNS)
    parts = []
    for title, rows in table(data, units):
        body = "".join(
            f'<tr><th scope="row">{escape(row[0])}</th>'
            + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
            + "</tr>"
            for row in rows
        )
        parts.append(
            f'<h3>{escape(title)}</h3><div class="scroll"><table><thead><tr>{head}</tr></thead>'
            f"<tbody>{body}</tbody></table></div>"
        )
    about = f"{units.label(data['metric'])}, on {plural(data['meta'][0]['episodes'], 'episode')}. {ABOUT}"
    return f'<h2>On tasks never seen</h2>{"".join(parts)}<p class="soft">{escape(about)}</p>'
