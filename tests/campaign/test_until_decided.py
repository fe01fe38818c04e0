"""Campaigns that add seeds until every arm is decided: where the seeds go, and when they end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy_benchmark
from report_examples import ACCURACY, RANDOM, FakeLedger, fake

from automl.campaign import run_campaign
from automl.campaign.growth import Addition, grow
from automl.campaign.until_decided import next_searches
from automl.config import Looks, Study, load_study
from automl.contracts import TrialState, UserError
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


def test_an_arm_that_the_file_has_dropped_gets_no_more() -> None:
    assert added(campaign({"tpe": 0.001, "gp": 0.002}, 4, retired=["gp"])) == [("random", 4), ("tpe", 4)]
    assert added(campaign({"tpe": 0.001}, 4, retired=["tpe"])) == []


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
            ledger.trial_rows[place] = replace(row, state=TrialState.FAILED, values=None)
    assert added(ledger) == [("random", 3), ("tpe", 3)]


def test_a_study_with_a_number_of_seeds_adds_none() -> None:
    ledger = campaign({"tpe": 0.001}, 3)
    for looks in (None, {"first": 3, "last": None}, {"first": 3, "last": 3}):
        ledger.row.spec["looks"] = looks
        assert added(ledger) == []


def test_an_arm_that_came_later_gets_the_seeds_that_random_search_has() -> None:
    ledger = campaign({"tpe": 0.001, "late": 0.002}, 6)
    ledger.search_rows = [row for row in ledger.search_rows if row.arm != "late" or row.seed < 3]
    ledger.trial_rows = [row for row in ledger.trial_rows if "/late/" not in row.id or int(row.id[-3]) < 3]
    assert added(ledger) == [("late", 3), ("random", 6), ("tpe", 6)]
    assert added(ledger, at_once=6) == [
        ("late", 3),
        ("late", 4),
        ("random", 6),
        ("tpe", 6),
        ("random", 7),
        ("tpe", 7),
    ]


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


def planned(tmp_path: Path, seeds: str) -> Study:
    toy_benchmark.write(tmp_path / "toy.npz")
    path = tmp_path / "toytable.yaml"
    path.write_text(toy_benchmark.STUDY.replace("seeds: 2", f"seeds: {seeds}"))
    return load_study(path)


@pytest.mark.parametrize(
    ("before", "asked", "told"),
    [
        ("3", "8", False),
        ("{exactly: 3}", "8", True),
        ("3", "{exactly: 8}", True),
        ("{until: decided, at_most: 5}", "{until: decided, at_most: 9}", True),
        ("{until: decided, at_most: 5}", "{until: decided, at_most: 5}", False),
        ("3", "{until: decided}", True),
    ],
)
def test_a_campaign_that_grows_keeps_its_plan_of_verdicts(
    tmp_path: Path, before: str, asked: str, told: bool
) -> None:
    had, wanted = planned(tmp_path, before), planned(tmp_path, asked)
    growth = grow(had, wanted)
    assert growth.study.looks == had.looks
    assert any("verdicts stay planned" in line for line in growth.kept) is told


def test_a_campaign_of_an_earlier_version_grows_from_the_seeds_that_it_had(tmp_path: Path) -> None:
    old = planned(tmp_path, "3").model_copy(update={"looks": None})
    assert grow(old, planned(tmp_path, "6")).study.looks == Looks(first=3)


def test_no_seeds_are_added_by_hand_to_a_campaign_that_adds_them_itself(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="adds seeds by itself until every arm is decided, at most 20"):
        Addition(seeds=2).to(planned(tmp_path, "{until: decided}"))
    assert Addition(seeds=2).to(planned(tmp_path, "3")).seeds == [0, 1, 2, 3, 4]
