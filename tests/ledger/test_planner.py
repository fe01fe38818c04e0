"""Statistics are gathered quickly, fail harmlessly, and what is looked up all the time needs none."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from automl.contracts import Outcome, TrialState
from automl.ledger import Ledger, NewTrial, Store, planner
from automl.ledger.database import make_engine
from automl.ledger.planner import refresh_statistics
from automl.ledger.store import sqlite_url

DONE = Outcome(TrialState.COMPLETE, 1.0, values=[1.0])


def test_every_table_with_rows_gets_statistics(any_store: Store, any_ledger: Ledger) -> None:
    any_ledger.create_campaign("s", {}, "d", {})
    search = any_ledger.add_search("s-1", "a", 0).id
    for number in range(20):
        any_ledger.start_trial(search, NewTrial("trial", number, {}, 0, number, None))
    assert refresh_statistics(any_store.url)
    engine = make_engine(any_store.url)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            found = dict(connection.exec_driver_sql("SELECT tbl, stat FROM sqlite_stat1").all())
            assert str(found["trials"]).startswith("20 ") and "searches" in found
        else:
            query = "SELECT reltuples FROM pg_class WHERE oid = 'trials'::regclass"
            assert connection.exec_driver_sql(query).scalar() == 20
    engine.dispose()


def test_a_locked_or_broken_database_is_told_in_the_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(planner, "_WAIT", 0.01)
    file = tmp_path / "a.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("CREATE TABLE t (x)")
        other.execute("BEGIN EXCLUSIVE")
        assert not refresh_statistics(sqlite_url(file))
    assert "could not be gathered: database is locked" in caplog.text
    file.write_text("no database at all, but long enough to be looked at" * 100)
    assert not refresh_statistics(sqlite_url(file))
    assert refresh_statistics(sqlite_url(tmp_path / "none.db")) and not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("gathered", [False, True])
def test_the_few_that_run_or_are_due_are_found_without_a_look_at_all(
    store: Store, ledger: Ledger, gathered: bool
) -> None:
    ledger.create_campaign("s", {}, "d", {})
    search = ledger.add_search("s-1", "a", 0).id
    for number in range(50):
        trial = ledger.start_trial(search, NewTrial("trial", number, {}, 0, number, None))
        if number:
            ledger.finish_trial(trial.id, trial.token, DONE, told=number, attributes={})
            ledger.mark_recorded({trial.id: 2})
    if gathered:
        refresh_statistics(store.url)
    seen: list[tuple[str, Any]] = []
    engine = ledger._db._engine

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_rest: Any) -> None:
        seen.append((statement, parameters))

    sa.event.listen(engine, "before_cursor_execute", note)
    ledger.unrecorded("s-1", 10)
    ledger.running_trials("s-1")
    ledger.attempts("s-1", running=True)
    sa.event.remove(engine, "before_cursor_execute", note)
    with closing(sqlite3.connect(store.folder / "ledger.db")) as connection:
        indexes = ("ix_trials_due", "ix_trials_running", "id=?", "ix_trials_running")
        for (statement, parameters), index in zip(seen, indexes, strict=True):
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert any(index in line for line in plan), plan
