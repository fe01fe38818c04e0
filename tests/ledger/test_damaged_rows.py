"""Values that this program cannot have written are refused by table, row and column."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa

from automl.contracts import Outcome, Report, RunError, TrialState
from automl.ledger import (
    Ledger,
    NewTrial,
    ScheduleRow,
    Store,
    deletions,
    reading,
    rows,
    schedule_rows,
    wishes,
)
from automl.ledger.reader import Reader
from automl.recorder.audit import audit, repair

SPEC = {"name": "s", "task": {"metrics": [{"name": "loss", "direction": "minimize"}]}, "arms": {"a": None}}
READERS: dict[type, Reader[Any]] = {
    rows.CampaignRow: reading.campaign,
    rows.DriveRow: reading.drive,
    rows.SearchRow: reading.search,
    rows.TrialRow: reading.trial,
    rows.AttemptRow: reading.attempt,
    rows.ReportRow: reading.report,
    rows.OpeningRow: reading.opening,
    schedule_rows.ScheduleRow: reading.schedule,
    schedule_rows.FiringRow: reading.firing,
    wishes.RequestRow: wishes.read_request,
    deletions.DeletionRow: deletions.read_deletion,
}


@pytest.mark.parametrize("kind", READERS, ids=lambda kind: kind.__name__)
def test_every_column_has_a_rule(kind: type) -> None:
    assert set(READERS[kind].columns) == {field.name for field in dataclasses.fields(kind)}


@pytest.fixture
def filled(any_store: Store, any_ledger: Ledger) -> Ledger:
    """One row in every table but firings."""
    any_ledger.create_campaign("s", SPEC, "digest", {})
    token = any_ledger.acquire("s-1", "host:1:1")
    search = any_ledger.add_search("s-1", "a", 0)
    new = NewTrial("trial", 0, {"x": 1}, seed=0, asked_after=0, workdir=None)
    trial = any_ledger.start_trial(search.id, new)
    any_ledger.report(trial.id, trial.token, Report(1, 0.5, 0.1))
    outcome = Outcome(TrialState.COMPLETE, 0.2, values=[0.25])
    any_ledger.finish_trial(trial.id, trial.token, outcome, told=0, attributes={})
    any_ledger.finish_search(search.id, "budget", trial.id)
    any_ledger.close_test(any_ledger.open_test(search.id, "the winner").id, [0.5])
    any_ledger.put_schedule(ScheduleRow("s", "s.yaml", "0 2 * * *", "UTC", 60.0, False, 1.0, 1.0))
    any_ledger.release("s-1", token)
    return any_ledger


READ: dict[str, Callable[[Ledger], object]] = {
    "campaigns": lambda ledger: ledger.campaigns(),
    "drives": lambda ledger: ledger.drives("s-1"),
    "searches": lambda ledger: ledger.searches("s-1"),
    "trials": lambda ledger: ledger.trials("s-1"),
    "attempts": lambda ledger: ledger.attempts("s-1"),
    "reports": lambda ledger: ledger.reports("s-1"),
    "openings": lambda ledger: ledger.openings("s-1"),
    "schedules": lambda ledger: ledger.schedules(),
}


def write(store: Store, table: str, column: str, value: object) -> None:
    """A value into a column of every row, as somebody's own SQL would write it."""
    engine = sa.create_engine(store.url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f'UPDATE {table} SET "{column}" = :value'), {"value": value})


@pytest.mark.parametrize(
    ("table", "column", "value", "told"),
    [
        ("campaigns", "spec", '{"task": ', "spec of campaign 's-1' must be the JSON of a study, but has"),
        ("campaigns", "spec", '{"task": 3}', "(task: "),
        ("campaigns", "provenance", "[]", "must be the JSON of a provenance"),
        ("campaigns", "state", "paused", "must be one of finished, running, but has 'paused'"),
        ("campaigns", "number", 7, "they say 's-7'"),
        ("campaigns", "owner", "somebody", "must be host:process:start, or nothing"),
        ("drives", "until", 1e300, "until of drive 's-1', 1 must be a number from 0 to 1e+11"),
        ("searches", "winner", "", "must be text that is not empty, or nothing"),
        ("searches", "finished_at", None, "must have an end exactly if it has ended"),
        ("trials", "state", "lost", "must be one of complete, failed, pruned, running, but has 'lost'"),
        ("trials", "config", "[1]", "config of trial 's-1/a/0/0' must be a JSON object"),
        ("trials", "config", "[" * 5000, "it is not JSON"),
        ("trials", "values", None, "must have values, since it is complete"),
        ("trials", "values", "[]", "at least one"),
        ("trials", "values", "[NaN]", "must be a JSON array of numbers up to 1e+100"),
        ("trials", "device_seconds", -0.5, "must be a number from 0"),
        ("trials", "device_seconds", float("inf"), "must be a number from 0"),
        ("attempts", "ending", "bored", "ending of attempt 's-1/a/0/0', 1 must be one of"),
        ("reports", "metrics", '{"loss": "low"}', "must be a JSON object of numbers"),
        ("openings", "details", "{", "it is not JSON"),
        ("schedules", "planned_until", -1, "planned_until of schedule 's' must be"),
    ],
)
def test_a_damaged_row_is_told(
    any_store: Store, filled: Ledger, table: str, column: str, value: object, told: str
) -> None:
    READ[table](filled)
    write(any_store, table, column, value)
    with pytest.raises(RunError) as caught:
        READ[table](filled)
    assert str(caught.value).startswith("the ledger is damaged: ")
    assert told in str(caught.value)
    assert str(caught.value).endswith("restore a backup (mlflow/restore.sh)")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("trials", "device_seconds", "much"),
        ("trials", "number", "0.5x"),
        ("trials", "seed", "x"),
        ("reports", "step", "first"),
        ("schedules", "paused", "x"),
        ("searches", "created_at", ""),
    ],
)
def test_a_column_of_sqlite_may_hold_any_type(
    any_store: Store, filled: Ledger, table: str, column: str, value: object
) -> None:
    if not any_store.url.startswith("sqlite"):
        with pytest.raises(sa.exc.DBAPIError):
            write(any_store, table, column, value)
        return
    write(any_store, table, column, value)
    with pytest.raises(RunError, match=f"{column} of [a-z]+ .* must be"):
        READ[table](filled)


@pytest.mark.parametrize(
    ("table", "column", "told"),
    [
        ("trials", "search", "trials 's-1/a/0/0' must belong to one of the searches, but there is no search"),
        ("searches", "campaign", "searches 's-1/a/0' must belong to one of the campaigns"),
        ("attempts", "trial", "must belong to one of the trials, but there is no trial 'gone/a/0'"),
    ],
)
def test_a_row_that_refers_to_nothing_stops_audits_and_repairs(
    store: Store, ledger: Ledger, table: str, column: str, told: str
) -> None:
    """Else a repair would delete the runs of a trial whose search is gone as if they were too many."""
    search = ledger.add_search(ledger.create_campaign("s", SPEC, "digest", {}).id, "a", 0)
    new = NewTrial("trial", 0, {"x": 1}, seed=0, asked_after=0, workdir=None)
    trial = ledger.start_trial(search.id, new)
    outcome = Outcome(TrialState.COMPLETE, 0.2, values=[0.25])
    ledger.finish_trial(trial.id, trial.token, outcome, told=0, attributes={})
    assert ledger.dangling() == []
    with closing(sqlite3.connect(store.folder / "ledger.db")) as other, other:  # which checks no references
        other.execute(f"UPDATE {table} SET {column} = 'gone/a/0'")
    for act in (audit, repair):
        with pytest.raises(RunError) as caught:
            act(store, ledger, "s-1")
        assert told in str(caught.value)
