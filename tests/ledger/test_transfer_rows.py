"""Trials on other datasets than the study's, and the openings of their test sets."""

from __future__ import annotations

import pytest

from automl.ledger import Ledger, NewTrial, Store, transfers


@pytest.fixture
def search(any_store: Store) -> tuple[Ledger, str]:
    with Ledger(any_store) as ledger:
        campaign = ledger.create_campaign("a", {}, "d", {})
        yield ledger, ledger.add_search(campaign.id, "random", 0).id


def test_a_trial_keeps_the_name_of_its_dataset(search: tuple[Ledger, str]) -> None:
    ledger, name = search
    for number, (kind, dataset) in enumerate([("final", None), ("transfer", "wine"), ("transfer", "iris")]):
        ledger.start_trial(name, NewTrial(kind, number, {"x": 1}, 0, 0, None, dataset))
    trials = ledger.trials(search=name)
    assert [trial.dataset for trial in trials] == [None, "wine", "iris"]
    assert [trial.id for trial in transfers("iris", {"x": 1}, trials)] == [f"{name}/transfer-2"]
    assert transfers("iris", {"x": 2}, trials) == []


def test_openings_of_other_test_sets_are_counted_apart(search: tuple[Ledger, str]) -> None:
    ledger, name = search
    pending = ledger.open_test(name, "own")
    other = ledger.open_test(name, "other", ["t"], "wine")
    assert other.id != pending.id and ledger.open_test(name, "other", ["t"], "wine") == other
    assert ledger.open_test(name, "other", ["u"], "iris").id not in (other.id, pending.id)
    assert [one.dataset for one in ledger.openings("a-1")] == [None]
    assert [one.dataset for one in ledger.transfer_openings("a-1")] == ["wine", "iris"]
    assert len(ledger.results(["a-1"])["a-1"].openings[name]) == 1
