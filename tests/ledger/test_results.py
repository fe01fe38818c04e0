"""Results of many campaigns: winners, retrainings, totals and openings, without all other trials."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from automl.contracts import Outcome, RunError, TrialState
from automl.ledger import Ledger, NewTrial, Store, owner_identity


def trial(ledger: Ledger, search: str, kind: str, number: int, value: float | None) -> None:
    row = ledger.start_trial(
        search, NewTrial(kind, number, {"x": number}, seed=0, asked_after=0, workdir=None)
    )
    state = TrialState.FAILED if value is None else TrialState.COMPLETE
    values = None if value is None else [value]
    outcome = Outcome(state, device_seconds=2.0, values=values, reason=None if values else "no")
    assert ledger.finish_trial(row.id, row.token, outcome, told=None, attributes={})


def campaign(ledger: Ledger, *, finish: bool = True) -> str:
    row = ledger.create_campaign("demo", {"name": "demo"}, "d", {})
    token = ledger.acquire(row.id, owner_identity())
    for arm in ("random", "tpe"):
        search = ledger.add_search(row.id, arm, 0).id
        for number, value in enumerate([0.5, 0.9, None]):
            trial(ledger, search, "trial", number, value)
        if finish:
            ledger.finish_search(search, "budget", f"{search}/1")
            trial(ledger, search, "final", 0, 0.8)
            ledger.close_test(ledger.open_test(search, "winner").id, [0.7])
    if finish:
        assert ledger.finish_campaign(row.id, token)
    return row.id


def test_winners_and_totals_stand_for_all_trials(any_ledger: Ledger) -> None:
    ledger = any_ledger
    first, second, open_one = campaign(ledger), campaign(ledger), campaign(ledger, finish=False)
    found = ledger.results([second, first, open_one])
    assert list(found) == [second, first, open_one]
    search = f"{first}/tpe/0"
    assert [row.id for row in found[first].searches] == [f"{first}/random/0", search]
    assert [row.id for row in found[first].trials[search]] == [f"{search}/final-0", f"{search}/1"]
    totals = {(total.kind, total.state): total for total in found[first].totals[search]}
    assert totals["trial", TrialState.COMPLETE].count == 2
    assert totals["trial", TrialState.COMPLETE].device_seconds == 4.0
    assert totals["trial", TrialState.FAILED].count == 1
    assert totals["final", TrialState.COMPLETE].count == 1
    assert [opening.values for opening in found[first].openings[search]] == [[0.7]]
    assert len(found[open_one].trials[f"{open_one}/random/0"]) == 3  # it has no winner yet
    assert ledger.results([]) == {}
    assert ledger.results(["nobody-1"])["nobody-1"].searches == []


def test_more_campaigns_than_one_statement_takes(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.ledger.results.TOGETHER", 2)
    names = [campaign(ledger) for _ in range(5)]
    found = ledger.results(names)
    assert [len(found[name].searches) for name in names] == [2] * 5


def test_the_last_finished_one_is_that_which_had_finished_by_then(ledger: Ledger) -> None:
    first, _, third = campaign(ledger), campaign(ledger, finish=False), campaign(ledger)
    rows = [ledger.campaign(name) for name in (first, third)]
    assert rows[0] is not None
    assert rows[1] is not None
    assert ledger.finished_before(rows[0]) is None
    before = ledger.finished_before(rows[1])
    assert before is not None
    assert before.id == first
    engine = sa.create_engine(ledger._db._engine.url)
    with engine.begin() as connection:  # it was continued, and ended after the third
        connection.exec_driver_sql("UPDATE campaigns SET finished_at = finished_at + 60 WHERE number = 1")
    engine.dispose()
    assert ledger.finished_before(rows[1]) is None


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE trials SET device_seconds = 'much' WHERE number = 0", "must be"),
        ("UPDATE trials SET device_seconds = -5 WHERE number = 0", "must be"),
        ("UPDATE trials SET state = 'lost' WHERE number = 0", "state of trial"),
        ("UPDATE openings SET \"values\" = '[1' WHERE id = 1", "it is not JSON"),
        ("UPDATE searches SET seed = 'x' WHERE arm = 'tpe'", "seed of search"),
    ],
)
def test_damaged_rows_are_refused(store: Store, ledger: Ledger, statement: str, words: str) -> None:
    name = campaign(ledger)
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA ignore_check_constraints = 1")
        connection.exec_driver_sql(statement)
    engine.dispose()
    with pytest.raises(RunError, match=f"the ledger is damaged.*{words}"):
        ledger.results([name])
