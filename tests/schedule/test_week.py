"""A week of nights: other seeds each night, what is remembered and what that gave; nights without change."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from week_example import Week, firings, write_rows

from automl.contracts import CampaignMemory
from automl.ledger import Ledger, Store
from automl.report import collect
from automl.report.remembered import lines


def memories(ledger: Ledger) -> list[CampaignMemory]:
    found = [ledger.memory(row.id) for row in ledger.campaigns("nightly")]
    return [memory for memory in found if memory is not None]


def check_memories(ledger: Ledger) -> None:
    """Each night but the first begins with the best of the night before; baselines never do."""
    campaigns = ledger.campaigns("nightly")
    for before, campaign in pairwise(campaigns):
        memory = ledger.memory(campaign.id)
        assert memory is not None and list(memory.arms) == ["tpe"]
        (plan,) = memory.plans
        assert [source.campaign for source in plan.sources] == [before.id]
        assert len(plan.first) == 2
        for search in ledger.searches(campaign.id):
            asked = [row.config for row in ledger.trials(search=search.id) if row.kind == "trial"]
            assert (asked[:2] == plan.first) is (search.arm == "tpe"), search.id
        told = lines(collect(ledger, campaign.id).remembered)
        assert f"remembers {before.id}" in told[0]
        assert "what memory gave" in told[-1] and "tpe-without-memory" in told[-1]


@pytest.mark.slow
def test_two_nights_on_data_that_grew_between(store: Store, tmp_path: Path) -> None:
    week = Week(tmp_path, store)
    week.run([1])
    write_rows(tmp_path, 100)
    week.run([2])
    with Ledger(store) as ledger:
        assert firings(ledger) == [("done", "nightly-1"), ("done", "nightly-2")]
        seeds = [set(row.spec["seeds"]) for row in ledger.campaigns("nightly")]
        assert not seeds[0] & seeds[1]
        check_memories(ledger)
        (source,) = memories(ledger)[1].plans[0].sources
        assert source.distance is not None and 0 < source.distance < 0.1 and not source.comparable


@pytest.mark.slow
def test_a_night_without_change_is_skipped_and_told(store: Store, tmp_path: Path) -> None:
    week = Week(tmp_path, store, when="changed", trials=2)
    week.run([1, 2])
    (tmp_path / "rows.csv").rename(tmp_path / "away.csv")
    week.run([3])
    (tmp_path / "away.csv").rename(tmp_path / "rows.csv")
    week.file.write_text(week.file.read_text().replace("top: 2", "top: 1"))
    week.run([4])
    with Ledger(store) as ledger:
        assert firings(ledger) == [
            ("done", "nightly-1"),
            ("skipped", None),
            ("failed", None),
            ("done", "nightly-2"),
        ]
        reasons = [firing.reason or "" for firing in ledger.firings("nightly")]
    assert reasons[1] == "study, code and data are those of nightly-1"
    assert "rows.csv" in reasons[2]


@pytest.mark.slow
def test_a_week_with_changed_data_on_night_four_and_worse_data_on_night_six(
    store: Store, tmp_path: Path
) -> None:
    week = Week(tmp_path, store, trials=6, seeds=3)
    week.run([1, 2, 3])
    write_rows(tmp_path, 120)
    week.run([4, 5])
    write_rows(tmp_path, 120, noise=0.4)
    week.run([6, 7])
    with Ledger(store) as ledger:
        assert firings(ledger) == [("done", f"nightly-{night}") for night in range(1, 8)]
        campaigns = ledger.campaigns("nightly")
        seeds = [seed for row in campaigns for seed in row.spec["seeds"]]
        assert len(seeds) == len(set(seeds)) == 21
        check_memories(ledger)
        same = [memory.plans[0].sources[0].distance == 0 for memory in memories(ledger)[1:]]
        assert same == [True, True, False, True, False, True]
        best = [
            max(trial.values[0] for trial in ledger.trials(row.id) if trial.values is not None)
            for row in campaigns
        ]
        against = [collect(ledger, row.id).last for row in campaigns]
    assert min(best[:5]) > max(best[5:])
    assert against[0] is None
    told = [one.sentence for one in against[1:] if one is not None and one.answer == "worse"]
    assert all(one.endswith("on other data") for one in told), told
    night = against[5]
    assert night is not None and night.data == "other"
    assert "nightly-6 is worse than nightly-5 (a regression)" in night.sentence
    assert night.sentence in told and night.notes == ("the data changed",)


@pytest.mark.slow
def test_a_week_that_runs_only_when_something_changed(store: Store, tmp_path: Path) -> None:
    week = Week(tmp_path, store, when="changed")
    week.run([1, 2, 3])
    write_rows(tmp_path, 120)
    week.run([4, 5])
    write_rows(tmp_path, 120, noise=0.4)
    week.run([6, 7])
    with Ledger(store) as ledger:
        states = [state for state, _ in firings(ledger)]
        assert states == ["done", "skipped", "skipped", "done", "skipped", "done", "skipped"]
        check_memories(ledger)
