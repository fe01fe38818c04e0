"""Campaigns made up row by row, in place of a ledger."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from automl.contracts import TrialState
from automl.ledger.results import CampaignResults
from automl.ledger.rows import CampaignRow, OpeningRow, ReportRow, SearchRow, TrialRow, trial_identity
from automl.ledger.totals import TotalRow

Values: TypeAlias = Mapping[str, Sequence[float | None]]
GOOD: Values = {"random": [0.90, 0.91, 0.92, 0.91, 0.90], "tpe": [0.95, 0.96, 0.95, 0.94, 0.95]}
BAD: Values = {"random": [0.80, 0.81, 0.82, 0.81, 0.80], "tpe": [0.85, 0.86, 0.85, 0.84, 0.86]}
OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
EDGES = ["edge_0_1", "edge_0_2", "edge_1_2", "edge_0_3", "edge_1_3", "edge_2_3"]
ACCURACY: list[dict[str, str]] = [{"name": "accuracy", "direction": "maximize"}]
LOSS: list[dict[str, str]] = [{"name": "loss", "direction": "minimize"}]
RANDOM: dict[str, Any] = {
    "strategy": {"name": "random", "options": {}},
    "pruner": {"name": "none", "options": {}},
}


@dataclass
class FakeLedger:
    row: CampaignRow
    state: str = "finished"
    search_rows: list[SearchRow] = field(default_factory=list)
    trial_rows: list[TrialRow] = field(default_factory=list)
    opening_rows: list[OpeningRow] = field(default_factory=list)
    report_rows: dict[str, list[ReportRow]] = field(default_factory=dict)
    earlier: FakeLedger | None = None  # the last finished campaign before this one

    def campaign(self, campaign: str) -> CampaignRow | None:
        return self.row if campaign == self.row.id else None

    def status(self, campaign: CampaignRow) -> str:
        return self.state

    def searches(self, campaign: str) -> list[SearchRow]:
        return list(self.search_rows)

    def trials(
        self, campaign: str | None = None, search: str | None = None, *, light: bool = False
    ) -> list[TrialRow]:
        rows = [trial for trial in self.trial_rows if search in (None, trial.search)]
        return sorted(rows, key=lambda trial: (trial.search, trial.kind, trial.number))

    def openings(self, campaign: str) -> list[OpeningRow]:
        return [opening for opening in self.opening_rows if opening.dataset is None]

    def transfer_openings(self, campaign: str) -> list[OpeningRow]:
        return [opening for opening in self.opening_rows if opening.dataset is not None]

    def deleted_looks(self, data: str) -> int:
        return 0

    def memory(self, campaign: str) -> None:
        return None

    def reports(self, *, search: str) -> dict[str, list[ReportRow]]:
        return {trial: rows for trial, rows in self.report_rows.items() if trial.startswith(f"{search}/")}

    def finished_before(self, campaign: CampaignRow) -> CampaignRow | None:
        return None if self.earlier is None else self.earlier.row

    def results(self, wanted: Iterable[str]) -> dict[str, CampaignResults]:
        ledgers = {ledger.row.id: ledger for ledger in (self, self.earlier) if ledger is not None}
        return {campaign: ledgers[campaign].own_results() for campaign in wanted}

    def own_results(self) -> CampaignResults:
        results = CampaignResults(searches=list(self.search_rows))
        for trial in self.trials():
            results.trials[trial.search].append(trial)
            cost = trial.device_seconds
            total = TotalRow(trial.search, trial.kind, trial.state, 1, cost, cost, cost)
            results.totals[trial.search].append(total)
        for opening in self.opening_rows:
            results.openings[opening.search].append(opening)
        return results

    def curve(self, trial: str, values: Iterable[float]) -> None:
        self.report_rows[trial] = [
            ReportRow(trial, step, value, None, float(step), 1.0) for step, value in enumerate(values, 1)
        ]

    def search(
        self,
        arm: str,
        seed: int,
        *,
        state: str = "finished",
        reason: str = "budget spent",
        winner: str | None = None,
    ) -> str:
        name = f"{self.row.id}/{arm}/{seed}"
        finished_at = 2.0 if state == "finished" else None
        row = SearchRow(name, self.row.id, arm, seed, state, reason, winner, 1.0, finished_at, 0)
        self.search_rows.append(row)
        return name

    def trial(
        self,
        search: str,
        number: int,
        values: list[float] | None,
        *,
        config: Mapping[str, Any] | None = None,
        cost: float = 1.0,
        **changes: Any,
    ) -> str:
        changes = {"kind": "trial", "state": TrialState.COMPLETE, "told": number, **changes}
        name = trial_identity(search, changes["kind"], number)
        fields: dict[str, Any] = dict.fromkeys(TrialRow.__dataclass_fields__)
        fields |= {"id": name, "search": search, "number": number, "config": config or {"x": 0.5}}
        fields |= {"attempt": 1, "token": "t", "seed": 0, "asked_after": 0, "recorded": 0, "started_at": 1.0}
        fields |= {"values": values, "device_seconds": cost, "finished_at": 2.0, **changes}
        self.trial_rows.append(TrialRow(**fields))
        return name

    def opening(self, search: str, values: list[float] | None) -> None:
        number = len(self.opening_rows) + 1
        self.opening_rows.append(OpeningRow(number, search, "the search's winner", 1.0, values))


def fake(
    arms: Mapping[str, Any] | None = None,
    *,
    metrics: list[dict[str, str]] = ACCURACY,
    seeds: Iterable[int] = (0, 1, 2),
    state: str = "finished",
    number: int = 3,
    data: str | None = None,
    **spec: Any,
) -> FakeLedger:
    """`data`: the digest of the data that the campaign was run on."""
    spec = {
        "name": "nas-digits",
        "task": {"dataset": "digits", "metrics": metrics},
        "space": None,
        "evaluator": {"name": "network", "options": {}},
        "budget": {"device_seconds": 120.0, "trials": None, "wall_seconds": None},
        "seeds": list(seeds),
        "arms": arms or {"random": RANDOM, "tpe": {"strategy": {"name": "tpe", "options": {}}}},
        "final": {"seeds": 3},
        **spec,
    }
    provenance: dict[str, Any] = {
        "commit": "0123456789abcdef",
        "host": "laptop",
        "packages": {"torch": "2.13.0"},
    }
    if data is not None:
        provenance = {**provenance, "data": {"name": "digits", "digest": data, "notes": []}}
    name, at = spec["name"], 1.7e9 + 60 * (number - 3)
    row = CampaignRow(
        f"{name}-{number}", name, number, "finished", spec, "d", provenance, at, at, None, 1, None, 0
    )
    return FakeLedger(row, state)


def values_only(by_arm: Mapping[str, Sequence[float | None]], **options: Any) -> FakeLedger:
    """One complete trial per search: `by_arm` is arm → value of each seed (None: no complete trial)."""
    seeds = range(max(map(len, by_arm.values())))
    ledger = fake(dict.fromkeys(by_arm, RANDOM), seeds=seeds, **options)
    for arm, values in by_arm.items():
        for seed, value in enumerate(values):
            search = ledger.search(arm, seed)
            if value is None:
                ledger.trial(search, 0, None, state=TrialState.FAILED, reason="ValueError: no")
            else:
                ledger.trial(search, 0, [value])
    return ledger


def campaign(
    values: Values, number: int, *, fresh: bool = True, first: int = 0, **options: Any
) -> FakeLedger:
    """One trial per seed, from seed `first` on, with two retrainings whose mean is its value."""
    options.setdefault("data", "a" * 64)
    seeds = range(first, first + max(map(len, values.values())))
    made = fake(dict.fromkeys(values, RANDOM), number=number, seeds=seeds, **options)
    for arm, of_arm in values.items():
        for seed, value in zip(seeds, of_arm, strict=False):
            search = made.search(arm, seed)
            made.trial(search, 0, [0.99 if value is None else value + 0.02])
            for final in range(2 if fresh and value is not None else 0):
                made.trial(search, final, [value - 0.001 + final * 0.002], kind="final")
    return made


def realistic(seeds: int = 5, trials: int = 40, metrics: list[dict[str, str]] = ACCURACY) -> FakeLedger:
    """Cells searched by four arms with pruned and failed trials, retrained, and tested."""
    arms = {
        "random": RANDOM,
        "tpe": {
            "strategy": {"name": "tpe", "options": {}},
            "pruner": {"name": "asha", "options": {"reduction": 3}},
        },
        "darts": {"evaluator": {"name": "supernet", "options": {"method": "darts"}}},
        "resnet": {"reference": "resnet"},
    }
    space = {"name": "nasbench201", "fix": {}, "narrow": {}}
    ledger = fake(arms, seeds=range(seeds), metrics=metrics, space=space)
    for arm in arms:
        for seed in range(seeds):
            _search(ledger, arm, seed, trials, random.Random(f"{arm} {seed}"))
    return ledger


def _search(ledger: FakeLedger, arm: str, seed: int, trials: int, rng: random.Random) -> None:
    search = ledger.search(arm, seed)
    worth = dict(zip(OPERATIONS, [-0.02, 0.004, 0.008, 0.014, 0.0], strict=True))
    best: tuple[float, dict[str, str]] | None = None
    count = {"darts": 1, "resnet": 1}.get(arm, trials)
    for number in range(count):
        config = {edge: rng.choice(OPERATIONS) for edge in EDGES}
        if arm == "tpe" and best and number > 8:
            config = {**best[1], rng.choice(EDGES): rng.choice(OPERATIONS)}
        if arm == "resnet":
            config = {edge: "nor_conv_3x3" if i % 2 else "skip_connect" for i, edge in enumerate(EDGES)}
        quality = sum(worth[config[edge]] * (1 + (edge == "edge_0_3")) for edge in EDGES)
        value = min(0.995, 0.90 + quality + rng.gauss(0, 0.006))
        cost = {"darts": 117.0, "resnet": 6.5}.get(arm, 120 / count) * rng.uniform(0.9, 1.0)
        values = [value] + [1000.0 + 4e5 * abs(quality)] * (len(ledger.row.spec["task"]["metrics"]) - 1)
        if arm in ("random", "tpe") and number % 17 == 5:
            ledger.trial(
                search,
                number,
                None,
                config=config,
                cost=cost / 3,
                state=TrialState.FAILED,
                reason="FloatingPointError: the training loss is nan after epoch 2",
                traceback="Traceback (most recent call last):\n  …\nFloatingPointError: the loss is nan",
            )
        elif arm == "tpe" and number > 4 and value < 0.91:
            ledger.trial(search, number, None, config=config, cost=cost / 4, state=TrialState.PRUNED)
        else:
            derived = config if arm == "darts" else None
            own = {} if arm == "darts" else config
            ledger.trial(search, number, values, config=own or {"order": 1}, cost=cost, derived=derived)
            best = max(best or (value, config), (value, config), key=lambda pair: pair[0])
    assert best is not None
    fresh = [best[0] - 0.004 + rng.gauss(0, 0.003) for _ in range(3)]
    for number, value in enumerate(fresh):
        ledger.trial(search, number, [value, *values[1:]], kind="final", cost=6.0, config=best[1])
    ledger.opening(search, [value - 0.006 + rng.gauss(0, 0.003) for value in fresh])
