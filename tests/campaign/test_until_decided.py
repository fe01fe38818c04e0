"""Campaigns that add seeds until every arm is decided: where the seeds go, and when they end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import toy_benchmark
from report_examples import ACCURACY, RANDOM, FakeLedger, fake

from automl.campaign import run_campaign
from automl.campaign.until_decided import next_searches
from automl.config import load_study
from automl.contracts import TrialState
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.report import collect, settled_verdicts

NOISE = [0.0, 0.011, -0.008, 0.004, -0.012, 0.009, 0.002, -0.005, 0.007, -0.003, 0.01, -0.01]


def campaign(gains: dict[str, float], seeds: int, *, most: int = 12, **changed: Any) -> FakeLedger:
    """Arms that are better than random search by their gain, with other noise each, on `seeds` seeds."""
    looks = {"first": 3, "last": most, "until_decided": True}
    arms = {"random": RANDOM, **dict.fromkeys(gains, RANDOM)}
    ledger = fake(arms, seeds=range(3), state="running", looks=looks, metrics=ACCURACY, **changed)
    for place, (arm, gain) in enumerate({"random": 0.0, **gains}.items()):
        for seed in range(seeds):
            search = ledger.search(arm, seed)
            ledger.trial(search, 0, [0.5 + gain + NOISE[(seed * (place + 1) + place) % len(NOISE)]])
    return ledger


def added(ledger: FakeLedger, at_once: int = 1) -> list[tuple[str, int]]:
    return next_searches(collect(ledger, ledger.row.id), at_once)


def test_an_undecided_arm_and_random_search_get_the_next_seed() -> None:
    assert added(campaign({"tpe": 0.001}, 3)) == [("random", 3), ("tpe", 3)]


def test_a_decided_arm_gets_no_more() -> None:
    ledger = campaign({"tpe": 0.001, "far": 0.3, "bad": -0.3}, 5, most=6)
    verdicts = settled_verdicts(collect(ledger, ledger.row.id))
    assert [verdict.verdict for verdict in verdicts] == ["undecided", "better", "worse"]
    assert added(ledger) == [("random", 5), ("tpe", 5)]


def test_nothing_is_added_when_every_arm_is_decided() -> None:
    assert added(campaign({"far": 0.3, "bad": -0.3}, 5, most=6)) == []


def test_nothing_is_added_beyond_the_most() -> None:
    assert added(campaign({"tpe": 0.001}, 12)) == []
    assert added(campaign({"tpe": 0.001}, 11)) == [("random", 11), ("tpe", 11)]


def test_equivalent_arms_are_decided() -> None:
    assert added(campaign({"tpe": 0.0}, 11)) == [("random", 11), ("tpe", 11)]
    assert added(campaign({"tpe": 0.0}, 11, equivalent=0.1)) == []


def test_as_many_seeds_as_keep_the_workers_busy() -> None:
    ledger = campaign({"tpe": 0.001, "gp": 0.002}, 4)
    assert sorted({seed for _, seed in added(ledger, at_once=7)}) == [4, 5]
    assert sorted({seed for _, seed in added(campaign({"tpe": 0.001}, 11), at_once=64)}) == [11]


def test_a_seed_that_failed_is_replaced_and_counts_as_one() -> None:
    ledger = campaign({"tpe": 0.001}, 3)
    for place, row in enumerate(ledger.trial_rows):
        if row.id.endswith("tpe/1/0"):
            changes = {"state": TrialState.FAILED, "values": None}
            ledger.trial_rows[place] = type(row)(**{**vars(row), **changes})
    assert added(ledger) == [("random", 3), ("tpe", 3)]


def test_a_study_with_a_number_of_seeds_adds_none() -> None:
    ledger = campaign({"tpe": 0.001}, 3)
    for looks in (None, {"first": 3, "last": None}, {"first": 3, "last": 3}):
        ledger.row.spec["looks"] = looks
        assert added(ledger) == []


@pytest.fixture
def study(workspace: Path) -> Path:
    toy_benchmark.write(workspace / "toy.npz")
    path = workspace / "toytable.yaml"
    seeds = "seeds: {until: decided, at_least: 2, at_most: 5}"
    path.write_text(toy_benchmark.STUDY.replace("seeds: 2", seeds))
    return path


def run(study: Path, store: Store) -> str:
    return run_campaign(load_study(study), store=store, progress=QuietProgress())


def test_one_run_searches_until_the_end_and_opens_each_test_once(study: Path, store: Store) -> None:
    name = run(study, store)
    with Ledger(store) as ledger:
        searches = ledger.searches(name)
        assert {row.state for row in searches} == {"finished"}
        assert [row.seed for row in searches if row.arm == "tpe"] == [0, 1, 2, 3, 4]
        assert len(ledger.openings(name)) == len(searches)
        report = collect(ledger, name)
        assert report.status == "finished" and report.comparison.compared == "test"
        assert report.comparison.verdicts[0].seeds == 5
    assert run(study, store) == name  # it has all that is asked for


def test_a_killed_campaign_goes_on_where_the_seeds_were_added(
    study: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    import automl.campaign.run as module

    calls = []
    right = module.add_seeds

    def killed(*args: Any) -> bool:
        calls.append(right(*args))
        if len(calls) == 2:
            raise KeyboardInterrupt
        return calls[-1]

    monkeypatch.setattr(module, "add_seeds", killed)
    with pytest.raises(KeyboardInterrupt):
        run(study, store)
    monkeypatch.setattr(module, "add_seeds", right)
    name = run(study, store)
    assert name.endswith("-1")
    with Ledger(store) as ledger:
        at_once = {(row.arm, row.seed) for row in ledger.searches(name)}
        assert at_once == {(arm, seed) for arm in ("random", "tpe") for seed in range(5)}
