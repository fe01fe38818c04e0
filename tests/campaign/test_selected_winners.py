"""Winners that are selected among the best of a search, evaluated again: live, replayed, grown, cut short."""

from __future__ import annotations

import json
import random
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import toy_benchmark
from growing_study import content, differences, run

from automl.config import Study, load_study
from automl.contracts import UserError
from automl.ledger import Ledger, SearchRow, Store, TrialRow
from automl.report import collect

CODE = """
import random
from automl.space import Choice, Space
SPACE = Space({"x": Choice(list(range(8)))})

def objective(config, context):
    return config["x"] / 10 + random.Random(context.seed + config["x"]).gauss(0, 0.5)
"""
STUDY = """
name: noisy
task: {metric: loss, direction: minimize}
space: "noisy_code:SPACE"
evaluator: {function: {call: "noisy_code:objective"}}
budget: {trials: 8}
seeds: 2
arms: {random: {strategy: random}}
executor: local
final: {seeds: 2, top: 3}
"""


@pytest.fixture
def study(workspace: Path) -> Path:
    (workspace / "noisy_code.py").write_text(CODE)
    path = workspace / "noisy.yaml"
    path.write_text(STUDY)
    return path


def value(x: int, seed: int) -> float:
    return x / 10 + random.Random(seed + x).gauss(0, 0.5)


def of(trials: list[TrialRow], kind: str) -> list[TrialRow]:
    return sorted((trial for trial in trials if trial.kind == kind), key=lambda trial: trial.number)


def wanted_winner(search: SearchRow, trials: list[TrialRow], top: int) -> TrialRow:
    """By a full sort and means over what the ledger has."""
    best: dict[str, TrialRow] = {}
    for trial in sorted(of(trials, "trial"), key=lambda trial: (trial.values or [0.0])[0]):
        best.setdefault(json.dumps(trial.config), trial)
    leaders = list(best.values())[:top]
    again: dict[str, list[float]] = {}
    for trial in of(trials, "again"):
        again.setdefault(json.dumps(trial.config), []).extend(trial.values or [])
    return min(leaders, key=lambda trial: fmean(again[json.dumps(trial.config)]))


def test_the_winner_has_the_best_mean_of_fresh_evaluations(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store)
    changed = 0
    for search in ledger.searches("noisy-1"):
        trials = ledger.trials(search=search.id)
        again, finals = of(trials, "again"), of(trials, "final")
        winner = wanted_winner(search, trials, 3)
        assert (search.state, search.winner) == ("finished", winner.id)
        assert [one.id for one in again] == [f"{search.id}/again-{number}" for number in range(6)]
        assert {one.config["x"] for one in finals} == {winner.config["x"]}
        seeds = [{one.seed for one in of(trials, kind)} for kind in ("trial", "again", "final")]
        assert [len(one) for one in seeds] == [8, 2, 2]  # the same ones for each that may win
        assert not (seeds[0] & seeds[1] or seeds[1] & seeds[2] or seeds[0] & seeds[2])
        assert all((one.values or [0])[0] == value(int(str(one.config["x"])), one.seed) for one in again)
        first = min(of(trials, "trial"), key=lambda trial: (trial.values or [0.0])[0])
        changed += winner.id != first.id
    assert changed  # one was lucky
    report = collect(ledger, "noisy-1")
    assert [one.winner for one in report.reevaluated] == [row.winner for row in ledger.searches("noisy-1")]
    assert sum(one.changed for one in report.reevaluated) == changed
    searches = report.arms["random"].searches
    assert [search.best.trial for search in searches if search.best] == [
        one.winner for one in report.reevaluated
    ]
    assert all(search.trials.complete == 8 for search in searches)  # the others are not of the search
    assert differences(store, ledger, "noisy-1") == []


def test_one_is_what_campaigns_have_always_done(study: Path, store: Store, ledger: Ledger) -> None:
    plain = load_study(study, ["final.top=1"])
    assert plain.to_json()["final"] == {"seeds": 2}
    assert plain.digest() == Study.from_json(plain.to_json()).digest()
    assert plain.digest() != load_study(study).digest()
    run(study, store, "final.top=1")
    assert not of(ledger.trials(campaign="noisy-1"), "again")
    assert collect(ledger, "noisy-1").reevaluated == ()
    assert "reevaluated" not in collect(ledger, "noisy-1").to_json()


@pytest.mark.slow
@pytest.mark.parametrize(
    "smaller",
    [["final.top=1"], ["budget.trials=4"], ["final.seeds=1"], ["seeds=1", "final.top=2", "budget.trials=2"]],
)
def test_what_has_grown_equals_what_was_whole_at_once(
    study: Path, store: Store, ledger: Ledger, smaller: list[str]
) -> None:
    run(study, store, *smaller)
    before = content(ledger, "noisy-1")
    run(study, store)
    after = content(ledger, "noisy-1")
    assert [row for row in after if row in before] == before  # nothing was made again
    run(study, store, "name=whole")
    for grown, whole in zip(ledger.searches("noisy-1"), ledger.searches("whole-1"), strict=True):
        assert (grown.winner or "").rpartition("/")[2] == (whole.winner or "").rpartition("/")[2]
        own, other = ledger.trials(search=grown.id), ledger.trials(search=whole.id)
        for kind in ("trial", "again", "final"):
            assert {_seen(one) for one in of(other, kind)} <= {_seen(one) for one in of(own, kind)}
    first, second = (collect(ledger, name).arms["random"].searches for name in ("noisy-1", "whole-1"))
    assert [one.fresh for one in first] == [one.fresh for one in second]
    assert differences(store, ledger, "noisy-1") == []


def _seen(trial: TrialRow) -> tuple[object, int, float]:
    return trial.config["x"], trial.seed, (trial.values or [0.0])[0]


def test_without_time_the_best_of_the_search_wins_and_it_is_told(
    study: Path, store: Store, ledger: Ledger
) -> None:
    run(study, store, "limits.trials=19")  # 16 of the searches, and half of one search's evaluations
    report = collect(ledger, "noisy-1")
    for search in ledger.searches("noisy-1"):
        trials = of(ledger.trials(search=search.id), "trial")
        assert search.winner == min(trials, key=lambda trial: (trial.values or [0.0])[0]).id
    told = [line for line in report.warnings if "stays the winner" in line]
    assert told[0].startswith("random with seed 0: 3 of 6 evaluations")
    assert told[1].startswith("random with seed 1: 0 of 6 evaluations")
    assert not any(one.changed for one in report.reevaluated)
    run(study, store)
    assert len(of(ledger.trials(campaign="noisy-1"), "again")) == 12
    assert any(one.changed for one in collect(ledger, "noisy-1").reevaluated)


def test_a_single_configuration_wins_by_itself(study: Path, store: Store, ledger: Ledger) -> None:
    run(study, store, "budget.trials=1")
    assert [trial.kind for trial in ledger.trials(campaign="noisy-1")] == ["final", "final", "trial"] * 2
    assert collect(ledger, "noisy-1").reevaluated == ()


def test_without_retrainings_nothing_can_be_selected(study: Path) -> None:
    with pytest.raises(UserError, match=r"final\.top: must be 1 without retrainings, but got 3 with seeds=0"):
        load_study(study, ["final.seeds=0"])
    with pytest.raises(UserError, match=r"final\.top"):
        load_study(study, ["final.top=0"])


@pytest.mark.slow
@pytest.mark.parametrize("record", ["searches", "trials"])
def test_a_table_has_values_that_select_and_others_that_are_reported(
    workspace: Path, store: Store, ledger: Ledger, record: str
) -> None:
    rows = toy_benchmark.ROWS
    values = [[row / 100, 0.5, 0.5 - row / 100, 1.0 - row / 100] for row in range(rows)]
    toy_benchmark.write(workspace / "toy.npz", fresh_seeds=np.array(values), test_seeds=np.array(values))
    path = workspace / "toytable.yaml"
    path.write_text(toy_benchmark.STUDY)
    run(path, store, f"record={record}", "final.seeds=1", "final.top=2")
    run(path, store, f"record={record}", "final.seeds=2", "final.top=2")
    report = collect(ledger, "toytable-1")
    for search in ledger.searches("toytable-1"):
        trials = ledger.trials(search=search.id)
        again = of(trials, "again")
        seen = {json.dumps(trial.config) for trial in again}
        assert len(seen) == 2
        assert sorted({one.seed for one in again}) == [2, 3]
        winner = next(one for one in of(trials, "trial") if one.id == search.winner)
        own = [one for one in of(trials, "final") if one.config == winner.config]
        assert sorted(one.seed for one in own) == [0, 1]
        best = max(
            seen,
            key=lambda one: fmean(a.values[0] for a in again if json.dumps(a.config) == one and a.values),
        )
        assert json.dumps(winner.config) == best
    assert all(len(search.test) == 2 for arm in report.arms.values() for search in arm.searches)
    assert not report.warnings or not any("stays the winner" in line for line in report.warnings)
    assert differences(store, ledger, "toytable-1") == []
