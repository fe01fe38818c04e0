"""A simulated parallel search whose rows can be cut at any event, for checks of strategies and pruners."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from automl.contracts import PROXY, Bounds, Config, Direction, Metric, TrialState, broken
from automl.ledger.rows import ReportRow, TrialRow
from automl.space import Choice, Constraint, Float, Int, Space
from automl.strategies.searcher import Searcher

LOSS = Metric("loss", Direction.MINIMIZE)
SIZE = Metric("parameters", Direction.MINIMIZE)
SPACE = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "drop": Float(0.0, 0.5, step=0.1),
        "width": Int(8, 64, step=8),
        "model": Choice(("tree", "net")),
        "depth": Int(1, 32, log=True, when={"model": "tree"}),
        "act": Choice(("relu", "gelu", None), when={"model": "net"}),
    },
    constraints=[
        Constraint(lambda c: not (c["model"] == "net" and float(str(c["width"])) > 48), "nets stay narrow")
    ],
    network=lambda *_: None,  # says that there is something to screen; never called
)
BOUNDS = {"width": Bounds(at_most=40)}
STEPS = 4
CUTS = 4  # events after which the driver of a simulated search dies


def loss(config: Config, step: int) -> float:
    """A made-up learning curve: depends on every parameter, falls with the step, without ties."""
    width, drop = float(config["width"]), float(config["drop"])  # type: ignore[arg-type]
    base = (math.log10(float(config["lr"])) + 2) ** 2 + abs(width - 40) / 40 + drop  # type: ignore[arg-type]
    text = json.dumps(sorted((key, str(value)) for key, value in config.items()))
    return base + 1 / step + random.Random(f"{text}{step}").random() / 10


@dataclass
class Rows:
    """The rows that a ledger would hold, and what the searcher answered to every event."""

    trials: dict[int, TrialRow] = field(default_factory=dict)
    reports: dict[str, dict[int, ReportRow]] = field(default_factory=dict)
    told: int = 0
    answers: list[Any] = field(default_factory=list)

    def copy(self) -> Rows:
        """The rows as they are now."""
        reports = {trial: dict(rows) for trial, rows in self.reports.items()}
        return Rows(dict(self.trials), reports, self.told, list(self.answers))

    def restore(self, searcher: Searcher) -> None:
        """Through JSON, as the ledger keeps the rows."""
        rows = [
            replace(row, attributes=json.loads(json.dumps(row.attributes, allow_nan=False)))
            for row in self.trials.values()
        ]
        random.Random(1).shuffle(rows)
        searcher.restore(rows, {trial: list(kept.values()) for trial, kept in self.reports.items()})


def trial_row(number: int, config: Config, asked_after: int, **values: Any) -> TrialRow:
    """The row of a trial that runs, or as `values` say."""
    defaults: dict[str, Any] = {
        "id": f"s/{number}", "search": "s", "kind": "trial", "number": number, "config": config,
        "state": TrialState.RUNNING, "attempt": 1, "token": "", "derived": None, "seed": 0,
        "asked_after": asked_after, "told": None, "values": None, "metrics": None, "attributes": None,
        "device_seconds": 0.0, "reason": None, "traceback": None, "artifacts": None, "workdir": None,
        "host": None, "device": None, "started_at": 0.0, "finished_at": None, "recorded": 0,
    }  # fmt: skip
    return TrialRow(**{**defaults, **values})


def plan(seed: int, trials: int, parallel: int = 3) -> list[tuple[str, int]]:
    """A random but legal order of events: (ask | report | tell, number)."""
    rng = random.Random(seed)
    events: list[tuple[str, int]] = []
    steps: dict[int, int] = {}
    asked = 0
    while asked < trials or steps:
        if asked < trials and len(steps) < parallel and (not steps or rng.random() < 0.5):
            events.append(("ask", asked))
            steps[asked] = 0
            asked += 1
            continue
        number = rng.choice(sorted(steps))
        if steps[number] == STEPS:
            events.append(("tell", number))
            del steps[number]
        else:
            events.append(("report", number))
            steps[number] += 1
    return events


def advance(
    searcher: Searcher,
    history: Rows,
    events: Sequence[tuple[str, int]],
    metrics: Sequence[Metric] = (LOSS,),
    bounds: Mapping[str, Bounds] = MappingProxyType({}),
) -> None:
    """Play events: a trial that its pruner ends stops reporting; every seventh trial fails.

    One that breaks `bounds` of its metric `width` ends as pruned, every second one without its values.

    A proposal that names an evaluator ends as pruned at its first report, with scores.
    """
    for event, number in events:
        row = history.trials.get(number)
        if event == "ask":
            config = searcher.ask(number)
            history.answers.append(("ask", number, config))
            if config is not None:
                history.trials[number] = trial_row(number, config, history.told)
        elif row is None or ended(history, number):
            continue
        elif searcher.evaluator(number) and number % 7 != 5:
            close(searcher, history, number, TrialState.PRUNED, None, scores(searcher, row))
        elif event == "report":
            step = len(history.reports.get(row.id, ())) + 1
            value = loss(row.config, step)
            stop = searcher.report(number, step, value)
            history.reports.setdefault(row.id, {})[step] = ReportRow(row.id, step, value, None, 0.0, 0.0)
            history.answers.append(("report", number, step, stop))
            if stop:
                close(searcher, history, number, TrialState.PRUNED, None)
        elif number % 7 == 5:
            close(searcher, history, number, TrialState.FAILED, None)
        else:
            width = float(row.config["width"])  # type: ignore[arg-type]
            values, measured = [loss(row.config, STEPS), width][: len(metrics)], {"width": width}
            if not broken(bounds, measured):
                close(searcher, history, number, TrialState.COMPLETE, values, measured)
                continue
            measured |= {one.name: value for one, value in zip(metrics, values, strict=True) if number % 2}
            close(searcher, history, number, TrialState.PRUNED, None, measured)


def scores(searcher: Searcher, row: TrialRow) -> dict[str, float]:
    """Metrics of a trial that another evaluator scores: of any proxy that its options may name."""
    evaluator = searcher.evaluator(row.number)
    names = [name for name in evaluator.options.values() if isinstance(name, str)] if evaluator else []
    return {PROXY + name: loss(row.config, STEPS) for name in names}


def ended(history: Rows, number: int) -> bool:
    """Whether a trial is in a final state."""
    return history.trials[number].state is not TrialState.RUNNING


def close(
    searcher: Searcher,
    history: Rows,
    number: int,
    state: TrialState,
    values: list[float] | None,
    metrics: dict[str, float] | None = None,
) -> None:
    """End a trial: tell the searcher, and keep what it answers in the row."""
    attributes = searcher.tell(number, state, values, metrics)
    history.answers.append(("tell", number, state))
    history.trials[number] = replace(
        history.trials[number], state=state, values=values, told=history.told, attributes=attributes
    )
    history.told += 1


def check_restored(
    make: Callable[[], Searcher],
    trials: int,
    metrics: Sequence[Metric] = (LOSS,),
    cuts: int = CUTS,
    bounds: Mapping[str, Bounds] = MappingProxyType({}),
) -> None:
    """Whatever event the driver dies after, the rebuilt search answers as the uninterrupted one.

    `make`: a new searcher of the same plug-ins and seed, with those `bounds` as its constraints.
    """
    events = plan(seed=1, trials=trials)
    searcher, whole, snapshots = make(), Rows(), {}
    places = {len(events) * (cut + 1) // (cuts + 1) for cut in range(cuts)}
    for place, event in enumerate(events):
        if place in places:
            snapshots[place] = whole.copy()
        advance(searcher, whole, [event], metrics, bounds)
    for place, rows in snapshots.items():
        rebuilt = make()
        rows.restore(rebuilt)
        advance(rebuilt, rows, events[place:], metrics, bounds)
        differing = [pair for pair in zip(rows.answers, whole.answers, strict=True) if pair[0] != pair[1]]
        assert not differing and rows.trials == whole.trials, (
            f"a search cut after {place} of {len(events)} events must continue as the uninterrupted one, but "
            f"answers {differing[:1]}; keep what must be remembered in the attributes of Optuna's trials"
        )
