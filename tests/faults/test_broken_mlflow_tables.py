"""MLflow's database is taken away, emptied, swapped or broken: it is noticed, and a repair rebuilds all."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from in_process import automl
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as ModelStore
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.tracking import _model_registry as models
from mlflow.tracking import _tracking_service as tracking
from patience import PATIENCE
from unleashed import RUN, Nemesis, check_whole, check_words, unleashed

from automl.ledger import Ledger, Store, resolve_store
from automl.recorder import recorder
from automl.storage import prepare

pytestmark = pytest.mark.faults


@pytest.fixture
def here(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A prepared store of files, which the environment names."""
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    return store


@pytest.fixture
def nemesis(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nemesis]:
    monkeypatch.setattr(recorder.Recorder.drain, "__defaults__", (1.0, 60.0))
    with unleashed(workspace, monkeypatch) as made:
        yield made
    new_process()


def new_process() -> None:
    """Have MLflow forget its connections, as it does when a command ends."""
    for registry in (tracking.utils._tracking_store_registry, models.utils._get_store_registry()):
        type(registry)._get_store_with_resolved_uri.cache_clear()
    for store in (SqlAlchemyStore, ModelStore):
        for engine in store._engine_map.values():
            engine.dispose()
        store._engine_map.clear()


def wait_until_recorded() -> None:
    """Until there is something in MLflow that can be lost."""
    deadline = time.monotonic() + PATIENCE
    with Ledger(resolve_store()) as ledger:
        while not any(trial.recorded == 2 for trial in ledger.trials()):
            assert time.monotonic() < deadline, "nothing was recorded"
            time.sleep(0.05)


def file() -> Path:
    return Path(sa.make_url(resolve_store().tracking_uri).database or "")


def settle() -> None:
    """Have all of it in the file itself, so that breaking the file breaks all of it."""
    with contextlib.closing(sqlite3.connect(file(), timeout=60)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def deleted() -> None:
    file().unlink()


def emptied() -> None:
    settle()
    file().write_bytes(b"")


def damaged() -> None:
    settle()
    with file().open("r+b") as opened:
        opened.write(b"not a database, but something else " * 1000)


def a_folder() -> None:
    file().unlink()
    file().mkdir()


def another_program() -> None:
    file().unlink()
    with contextlib.closing(sqlite3.connect(file())) as connection:
        connection.execute("CREATE TABLE moz_places (id INTEGER PRIMARY KEY)")


def another_store() -> None:
    other = resolve_store({"AUTOML_STORE": str(Path("other").absolute())})
    prepare(other)
    with contextlib.closing(sqlite3.connect("other/mlflow.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy("other/mlflow.db", "swap.db")
    Path("swap.db").replace(file())


def tables_dropped() -> None:
    with contextlib.closing(sqlite3.connect(file(), timeout=60)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        connection.execute("DROP TABLE metrics")
        connection.execute("DROP TABLE params")


def rows_deleted() -> None:
    with contextlib.closing(sqlite3.connect(file(), timeout=60, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        for table in ("latest_metrics", "metrics", "params", "tags", "inputs", "runs"):
            connection.execute(f"DELETE FROM {table}")


LOSSES = [deleted, emptied, damaged, a_folder, another_program, another_store, tables_dropped, rows_deleted]


@pytest.mark.parametrize("lose", LOSSES, ids=lambda one: one.__name__)
def test_lost_between_two_commands(
    lose: Callable[[], None],
    nemesis: Nemesis,
    here: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A report needs the ledger alone, and says it; an audit finds it; a repair writes all of it again."""
    assert automl(monkeypatch, *RUN) == 0
    new_process()
    lose()
    capsys.readouterr()
    assert automl(monkeypatch, "report", "limits") == 0
    told = capsys.readouterr().err + caplog.text
    assert "MLflow's database" in told and "--repair" in told
    check_words(told)
    assert automl(monkeypatch, "audit", "limits") == 1
    check_words(capsys.readouterr().err)
    check_whole(monkeypatch, capsys, "--repair")
    check_whole(monkeypatch, capsys)
    kept = list(here.folder.glob("mlflow.db.damaged-*"))
    assert len(kept) == (lose in (damaged, a_folder, another_program, tables_dropped))


@pytest.mark.parametrize("lose", LOSSES, ids=lambda one: one.__name__)
def test_lost_while_trials_run(
    lose: Callable[[], None],
    nemesis: Nemesis,
    here: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No trial suffers; it is told, and a repair (here by another command) makes MLflow exact."""
    nemesis.acts = {4: lambda: (wait_until_recorded(), lose())}
    assert automl(monkeypatch, *RUN) == 0
    told = capsys.readouterr().err + caplog.text
    assert ("safe in the ledger" in told and "--repair" in told) or "are written again" in told
    check_words(told)
    new_process()
    check_whole(monkeypatch, capsys, "--repair")
    check_whole(monkeypatch, capsys)


def test_a_file_that_is_mounted_read_only(
    nemesis: Nemesis,
    here: Store,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    name = str(file()).encode()
    if library.mount(name, name, b"", 4096, None) != 0:
        pytest.skip(f"cannot mount here: {os.strerror(ctypes.get_errno())}")
    try:
        assert library.mount(name, name, b"", 4096 | 32 | 1, None) == 0
        assert automl(monkeypatch, *RUN) == 0
        told = capsys.readouterr().err + caplog.text
        assert "must be writable" in told and "safe in the ledger" in told and "--repair" in told
        check_words(told)
        assert automl(monkeypatch, "audit", "limits", "--repair") == 1
        check_words(capsys.readouterr().err)
    finally:
        new_process()
        library.umount2(name, 2)
    check_whole(monkeypatch, capsys, "--repair")


# --- PostgreSQL -------------------------------------------------------------------------------------


def schema_dropped(url: str) -> None:
    execute(url, "DROP SCHEMA mlflow CASCADE")


def some_tables_dropped(url: str) -> None:
    execute(url, "DROP TABLE mlflow.metrics, mlflow.latest_metrics, mlflow.params CASCADE")


def truncated(url: str) -> None:
    execute(url, "TRUNCATE mlflow.runs, mlflow.experiments CASCADE")


def runs_truncated(url: str) -> None:
    execute(url, "TRUNCATE mlflow.runs CASCADE")


def version_dropped(url: str) -> None:
    execute(url, "DROP TABLE mlflow.alembic_version")


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement)


@pytest.fixture
def url(postgres_store: Store, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prepared database, which the environment names."""
    address = sa.make_url(postgres_store.url).set(drivername="postgresql", query={})
    monkeypatch.setenv("AUTOML_STORE", address.render_as_string(hide_password=False))
    monkeypatch.setenv("AUTOML_FOLDER", str(postgres_store.folder))
    return address.render_as_string(hide_password=False)


SERVER = [schema_dropped, some_tables_dropped, truncated, runs_truncated, version_dropped]


@pytest.mark.postgres
@pytest.mark.parametrize("lose", SERVER, ids=lambda one: one.__name__)
def test_lost_on_a_server_between_two_commands(
    lose: Callable[[str], None],
    nemesis: Nemesis,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert automl(monkeypatch, *RUN) == 0
    new_process()
    lose(url)
    capsys.readouterr()
    assert automl(monkeypatch, "report", "limits") == 0
    told = capsys.readouterr().err + caplog.text
    assert "MLflow's database" in told and "--repair" in told
    check_words(told)
    assert automl(monkeypatch, "audit", "limits") == 1
    check_words(capsys.readouterr().err)
    check_whole(monkeypatch, capsys, "--repair")
    check_whole(monkeypatch, capsys)


@pytest.mark.postgres
@pytest.mark.parametrize("lose", SERVER, ids=lambda one: one.__name__)
def test_lost_on_a_server_while_trials_run(
    lose: Callable[[str], None],
    nemesis: Nemesis,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    nemesis.acts = {4: lambda: (wait_until_recorded(), lose(url))}
    assert automl(monkeypatch, *RUN) == 0
    told = capsys.readouterr().err + caplog.text
    if lose is not version_dropped:  # which recording does not need
        assert ("safe in the ledger" in told and "--repair" in told) or "are written again" in told
    check_words(told)
    new_process()
    check_whole(monkeypatch, capsys, "--repair")
    check_whole(monkeypatch, capsys)
