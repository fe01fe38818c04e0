from __future__ import annotations

import math
import threading
from dataclasses import fields, replace
from typing import Any

import pytest

from automl.contracts import Outcome, Report, RunError, TrialState
from automl.ledger import (
    CampaignRow,
    Ledger,
    NewTrial,
    OpeningRow,
    ReportRow,
    SearchRow,
    TrialRow,
    owner_identity,
)
from automl.ledger import tables as schema

DONE = Outcome(
    TrialState.COMPLETE, 2.0, [0.5], {"loss": 1.5}, {"edge": "none"}, artifacts=["cell.svg"], host="a"
)


@pytest.fixture
def search(any_ledger: Ledger) -> str:
    campaign = any_ledger.create_campaign("quick", {"name": "quick"}, "d", {})
    return any_ledger.add_search(campaign.id, "tpe", 0).id


def start(ledger: Ledger, search: str, number: int = 0, kind: str = "trial", **config: Any) -> TrialRow:
    return ledger.start_trial(
        search, NewTrial(kind, number, config, seed=7, asked_after=number, workdir=None)
    )


@pytest.mark.parametrize(
    ("row", "table"),
    [
        (CampaignRow, schema.campaigns),
        (SearchRow, schema.searches),
        (TrialRow, schema.trials),
        (ReportRow, schema.reports),
        (OpeningRow, schema.openings),
    ],
)
def test_rows_have_exactly_the_columns_of_their_table(row: Any, table: Any) -> None:
    assert sorted(field.name for field in fields(row)) == sorted(column.name for column in table.columns)


def test_a_started_trial_reads_back_as_it_was_returned(any_ledger: Ledger, search: str) -> None:
    config = {"lr": 1e-3, "width": 2**40, "act": "relu", "flag": True, "none": None}
    row = any_ledger.start_trial(
        search, NewTrial("trial", 3, config, seed=2**31 - 1, asked_after=2, workdir="/x/ä b")
    )
    assert row.id == "quick-1/tpe/0/3"
    assert (row.state, row.attempt, row.device_seconds, row.recorded) == (TrialState.RUNNING, 1, 0.0, 0)
    assert any_ledger.trials(search=search) == [row]
    assert any_ledger.trial(row.id) == row


def test_a_final_has_an_identity_of_its_own(any_ledger: Ledger, search: str) -> None:
    assert start(any_ledger, search, 0, "final").id == "quick-1/tpe/0/final-0"
    assert start(any_ledger, search, 0).id == "quick-1/tpe/0/0"


def test_a_finished_trial_keeps_everything_of_its_outcome(any_ledger: Ledger, search: str) -> None:
    row = start(any_ledger, search)
    assert any_ledger.finish_trial(row.id, row.token, DONE, told=4, attributes={"bound": math.inf})
    (kept,) = any_ledger.trials(search=search)
    assert (kept.state, kept.values, kept.metrics) == (TrialState.COMPLETE, [0.5], {"loss": 1.5})
    assert (kept.derived, kept.artifacts, kept.host) == ({"edge": "none"}, ["cell.svg"], "a")
    assert (kept.told, kept.attributes, kept.device_seconds) == (4, {"bound": math.inf}, 2.0)
    assert kept.finished_at is not None and kept.finished_at >= kept.started_at


def test_numbers_that_are_not_finite_survive_in_metrics(any_ledger: Ledger, search: str) -> None:
    row = start(any_ledger, search)
    metrics = {"nan": math.nan, "up": math.inf, "down": -math.inf}
    assert any_ledger.report(row.id, row.token, Report(1, 0.5, 0.1, metrics))
    kept = any_ledger.reports(search=search)[row.id][0].metrics
    assert (
        kept is not None and math.isnan(kept["nan"]) and (kept["up"], kept["down"]) == (math.inf, -math.inf)
    )


def test_text_that_sql_cannot_hold_does_not_lose_the_outcome(any_ledger: Ledger, search: str) -> None:
    row = start(any_ledger, search)
    outcome = Outcome(TrialState.FAILED, 0.1, reason="a\0b", traceback="\ud800 lone")
    assert any_ledger.finish_trial(row.id, row.token, outcome, told=None, attributes={})
    (kept,) = any_ledger.trials(search=search)
    assert kept.reason == r"a\x00b"
    assert kept.traceback == r"\ud800 lone"


def test_a_report_of_the_same_step_replaces_the_earlier_one(any_ledger: Ledger, search: str) -> None:
    row = start(any_ledger, search)
    for step, value in [(1, 0.1), (2, 0.2), (2, 0.3), (3_000_000_000, 0.4)]:
        assert any_ledger.report(row.id, row.token, Report(step, value, float(step)))
    kept = any_ledger.reports(search=search)[row.id]
    assert [(r.step, r.value) for r in kept] == [(1, 0.1), (2, 0.3), (3_000_000_000, 0.4)]


def test_a_finished_trial_never_changes(any_ledger: Ledger, search: str) -> None:
    row = start(any_ledger, search)
    any_ledger.report(row.id, row.token, Report(1, 0.1, 1.0))
    any_ledger.finish_trial(row.id, row.token, DONE, told=0, attributes={})
    before = any_ledger.trials(), any_ledger.reports(search=search)
    late = replace(DONE, state=TrialState.FAILED, device_seconds=99.0)
    assert not any_ledger.finish_trial(row.id, row.token, late, told=1, attributes={})
    assert not any_ledger.report(row.id, row.token, Report(2, 0.9, 2.0))
    with pytest.raises(RunError, match="has ended"):
        any_ledger.restart_trial(row.id, row.token, 0.0)
    assert (any_ledger.trials(), any_ledger.reports(search=search)) == before


def test_a_restart_fences_the_attempt_before_it_and_adds_up_the_cost(any_ledger: Ledger, search: str) -> None:
    first = start(any_ledger, search, x=1)
    any_ledger.report(first.id, first.token, Report(1, 0.1, 1.0))
    second = any_ledger.restart_trial(first.id, first.token, 1.5)
    assert (second.attempt, second.device_seconds, second.config) == (2, 1.5, {"x": 1})
    assert second.token != first.token
    assert not any_ledger.report(first.id, first.token, Report(2, 0.9, 2.0))
    assert not any_ledger.finish_trial(first.id, first.token, DONE, told=0, attributes={})
    with pytest.raises(RunError, match="another attempt holds it"):
        any_ledger.restart_trial(first.id, first.token, 9.0)
    assert any_ledger.report(second.id, second.token, Report(1, 0.2, 0.5))
    assert any_ledger.finish_trial(second.id, second.token, DONE, told=0, attributes={})
    (kept,) = any_ledger.trials()
    assert (kept.device_seconds, kept.attempt) == (3.5, 2)
    assert [r.value for r in any_ledger.reports(search=search)[first.id]] == [0.2]


def test_events_of_a_trial_that_does_not_exist_are_refused(any_ledger: Ledger, search: str) -> None:
    assert not any_ledger.report("nobody/x/0/0", "t", Report(1, 0.1, 1.0))
    assert not any_ledger.finish_trial("nobody/x/0/0", "t", DONE, told=0, attributes={})
    with pytest.raises(RunError, match="cannot be restarted"):
        any_ledger.restart_trial("nobody/x/0/0", "t", 0.0)
    with pytest.raises(RunError, match="cannot be started"):
        start(any_ledger, "nobody-1/x/0")


def test_a_trial_starts_once(any_ledger: Ledger, search: str) -> None:
    start(any_ledger, search, 5, x=1)
    with pytest.raises(RunError, match="another driver has started it"):
        start(any_ledger, search, 5, x=2)
    assert [trial.config for trial in any_ledger.trials()] == [{"x": 1}]


def test_a_driver_that_lost_its_campaign_starts_nothing(
    any_store: Any, any_ledger: Ledger, search: str
) -> None:
    me = owner_identity()
    token = any_ledger.acquire("quick-1", me)
    start(any_ledger, search, 0)
    with Ledger(any_store) as successor:
        successor.acquire("quick-1", me)
        with pytest.raises(RunError, match="taken over its campaign"):
            start(any_ledger, search, 1)
        assert not any_ledger.heartbeat("quick-1", token)
        start(successor, search, 1)
    assert [trial.number for trial in any_ledger.trials()] == [0, 1]


def test_reading_selects_and_orders(any_ledger: Ledger, search: str) -> None:
    other = any_ledger.add_search(any_ledger.create_campaign("other", {}, "d", {}).id, "random", 1).id
    rows = [start(any_ledger, search, 10), start(any_ledger, search, 9), start(any_ledger, other, 0)]
    for row in rows:
        any_ledger.report(row.id, row.token, Report(1, 0.1, 1.0))
    assert [t.number for t in any_ledger.trials(campaign="quick-1")] == [9, 10]
    assert [t.id for t in any_ledger.trials()] == ["other-1/random/1/0", f"{search}/9", f"{search}/10"]
    assert any_ledger.trials(campaign="other-1", search=search) == []
    assert set(any_ledger.reports(campaign="other-1")) == {rows[2].id}
    assert set(any_ledger.reports(search=search)) == {rows[0].id, rows[1].id}
    assert set(any_ledger.reports(trials=[rows[0].id, rows[2].id])) == {rows[0].id, rows[2].id}
    assert any_ledger.reports(trials=[]) == {}
    assert set(any_ledger.reports(trials=[f"none/{n}" for n in range(2500)] + [rows[1].id])) == {rows[1].id}


def test_recording_lists_what_mlflow_lacks(any_ledger: Ledger, search: str, monkeypatch: Any) -> None:
    young, ended, old = (start(any_ledger, search, number) for number in range(3))
    any_ledger.finish_trial(ended.id, ended.token, DONE, told=0, attributes={})
    assert any_ledger.unrecorded("quick-1", 10) == [ended.id]
    clock = young.started_at + 1.5
    monkeypatch.setattr("automl.ledger.queries.time.time", lambda: clock)
    assert any_ledger.unrecorded("quick-1", 10) == [young.id, ended.id, old.id]
    assert any_ledger.unrecorded("quick-1", 2) == [young.id, ended.id]
    assert any_ledger.unrecorded("other-1", 10) == []
    any_ledger.mark_recorded({young.id: 1, ended.id: 2, old.id: 1})
    any_ledger.mark_recorded({})
    assert any_ledger.unrecorded("quick-1", 10) == []
    any_ledger.finish_trial(young.id, young.token, DONE, told=1, attributes={})
    assert any_ledger.unrecorded("quick-1", 10) == [young.id]


def test_threads_share_one_ledger(any_ledger: Ledger, search: str) -> None:
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for number in range(worker * 10, worker * 10 + 10):
                row = start(any_ledger, search, number)
                assert any_ledger.report(row.id, row.token, Report(1, 0.1, 1.0))
                assert any_ledger.finish_trial(row.id, row.token, DONE, told=number, attributes={})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert {t.state for t in any_ledger.trials()} == {TrialState.COMPLETE}
    assert len(any_ledger.trials()) == 40
