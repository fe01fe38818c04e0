from __future__ import annotations

import multiprocessing
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from patience import PATIENCE

from automl.contracts import Report, RunError, UserError
from automl.ledger import Ledger, NewTrial, ReportRow, Store, resolve_store, setup
from automl.ledger.database import make_engine
from automl.ledger.files import read_revision
from automl.ledger.layout import VERSION_TABLE
from automl.ledger.tables import metadata
from automl.recorder import mlflow_tables
from automl.recorder.mlflow_marker import VERSION_TABLE as MLFLOW_VERSION_TABLE
from automl.storage import Places, open_ledger, prepare, restored_statements, upgrade

PREPARE = (
    "from automl.ledger import resolve_store; from automl.storage import prepare; prepare(resolve_store())"
)


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_no_ledger_is_opened_in_a_store_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"automl\.storage"):
        Ledger(resolve_store({}, tmp_path))
    assert listing(tmp_path) == []


def differences(store: Store) -> list[Any]:
    engine = make_engine(store.url)
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    return list(found)


def test_migrations_give_exactly_our_tables(any_store: Store) -> None:
    assert differences(any_store) == []
    assert read_revision(any_store.url, VERSION_TABLE) == setup.HEAD


def test_the_newest_revision_is_the_head() -> None:
    assert max(setup.known_revisions()) == setup.HEAD


def test_preparing_again_changes_nothing_and_is_quick(
    any_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = listing(any_store.folder)
    code = f"{PREPARE}; import sys; sys.exit('mlflow' in sys.modules or 'alembic' in sys.modules)"
    if any_store.url.startswith("sqlite"):
        subprocess.run([sys.executable, "-c", code], check=True, cwd=any_store.folder.parent)
    monkeypatch.setattr(setup, "_locked", lambda store: pytest.fail("a store that is ready needs no lock"))
    prepare(any_store)
    assert listing(any_store.folder) == before


def _open(store: Store, barrier: Any, answers: Any) -> None:
    barrier.wait()
    try:
        with open_ledger(store) as ledger:
            answers.put(ledger.create_campaign("a", {}, "d", {}).id)
    except BaseException as error:
        answers.put(repr(error))


def first_users(store: Store, count: int = 6) -> list[str]:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(count), context.Queue()
    processes = [context.Process(target=_open, args=(store, barrier, answers)) for _ in range(count)]
    for process in processes:
        process.start()
    found = sorted(answers.get(timeout=PATIENCE) for _ in processes)
    for process in processes:
        process.join()
    return found


def mlflow_works(store: Store) -> bool:
    code = "import sys, mlflow; c = mlflow.MlflowClient(sys.argv[1]); e = c.create_experiment('e'); "
    code += "c.set_terminated(c.create_run(e).info.run_id); print(c.get_experiment('0').artifact_location)"
    answer = subprocess.run(
        [sys.executable, "-c", code, store.tracking_uri],
        capture_output=True,
        text=True,
        cwd=store.folder.parent,
    )
    return answer.stdout.strip() == f"{store.artifacts}/0"


@pytest.mark.slow
def test_many_first_users_at_once_on_sqlite(tmp_path: Path) -> None:
    store = resolve_store({}, tmp_path)
    assert first_users(store) == [f"a-{number}" for number in range(1, 7)]
    assert differences(store) == []
    assert mlflow_works(store)
    assert listing(store.folder) == ["ledger.db", "mlflow.db", "mlflow.ready", "setup.lock"]


@pytest.mark.slow
@pytest.mark.postgres
def test_many_first_users_at_once_on_postgresql(postgres_url: str, tmp_path: Path) -> None:
    store = resolve_store({"AUTOML_STORE": postgres_url}, tmp_path)
    assert first_users(store) == [f"a-{number}" for number in range(1, 7)]
    assert differences(store) == []
    assert mlflow_works(store)


@pytest.mark.faults
def test_a_first_user_killed_anywhere_leaves_no_broken_store(tmp_path: Path) -> None:
    store = resolve_store({}, tmp_path)
    for delay in (0.3, 0.8, 1.3, 1.8, 2.3, 2.8):
        shutil.rmtree(store.folder, ignore_errors=True)
        process = subprocess.Popen([sys.executable, "-c", PREPARE], cwd=tmp_path)
        time.sleep(delay)
        process.kill()
        process.wait()
        prepare(store)
        assert differences(store) == []
        assert listing(store.folder) == ["ledger.db", "mlflow.db", "mlflow.ready", "setup.lock"]


def set_revision(url: str, table: str, revision: str) -> None:
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {table} SET version_num = :r"), {"r": revision})
    engine.dispose()


@pytest.mark.parametrize("which", ["ledger", "mlflow"])
def test_a_newer_store_is_refused(any_store: Store, which: str) -> None:
    url = any_store.url if which == "ledger" else any_store.tracking_uri
    table = VERSION_TABLE if which == "ledger" else MLFLOW_VERSION_TABLE
    set_revision(url, table, "ffff")
    for act in (prepare, upgrade):
        with pytest.raises(UserError, match=r"only a newer .* knows") as caught:
            act(any_store)
        assert "secret-word" not in str(caught.value)
    assert read_revision(url, table) == "ffff"


def test_an_older_ledger_is_never_migrated_silently(
    any_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = setup.HEAD
    monkeypatch.setattr(setup, "HEAD", "9999")
    with pytest.raises(UserError, match=f"has older ones \\({head}\\).*`automl db upgrade`"):
        prepare(any_store)
    assert read_revision(any_store.url, VERSION_TABLE) == head


def first_tables(store: Store) -> dict[str, list[ReportRow]]:
    """Make the ledger of `store` one of the first revision, with a report of an open trial; its reports."""
    with Ledger(store) as ledger:
        campaign = ledger.create_campaign("a", {}, "d", {})
        search = ledger.add_search(campaign.id, "random", 0).id
        trial = ledger.start_trial(search, NewTrial("trial", 0, {}, seed=0, asked_after=0, workdir=None))
        assert ledger.report(trial.id, trial.token, Report(1, 0.1, 1 / 3, {"loss": 0.7}))
        reports = ledger.reports(campaign.id)
    engine = make_engine(store.url)
    with engine.execution_options(automl_write=True).begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("reports") as table:
            table.alter_column("value", existing_type=sa.Float, nullable=False)
        operations.drop_column("openings", "details")
        without_limits(operations)
    engine.dispose()
    set_revision(store.url, VERSION_TABLE, "0001")
    return reports


def test_a_file_of_the_third_revision_is_added_to_with_a_copy_and_a_server_is_not(
    any_store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with Ledger(any_store) as ledger:
        ledger.create_campaign("a", {}, "d", {})
    engine = make_engine(any_store.url)
    with engine.execution_options(automl_write=True).begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        without_limits(operations)
    engine.dispose()
    set_revision(any_store.url, VERSION_TABLE, "0003")
    if not any_store.url.startswith("sqlite"):
        with pytest.raises(UserError, match=r"has older ones \(0003\).*`automl db upgrade`"):
            prepare(any_store)
        return
    prepare(any_store)
    assert differences(any_store) == []
    assert "was brought from revision 0003" in caplog.text
    (copy,) = any_store.folder.glob("ledger.db.*")
    assert str(copy) in caplog.text
    with Ledger(any_store) as ledger:
        assert ledger.campaign("a-1") is not None


def without_limits(operations: Operations) -> None:
    """Take away what revisions 0004 to 0016 add."""
    operations.drop_index("ix_trials_due", "trials")
    operations.drop_index("ix_trials_running", "trials")
    operations.create_index("ix_trials_recorded", "trials", ["recorded", "state"])
    for column in ("storage", "files", "lost"):
        operations.drop_column("trials", column)
    for table in ("spent", "quotas", "shares", "places"):
        operations.drop_table(table)
    operations.drop_index("ix_attempts_finished_at", "attempts")
    operations.drop_column("campaigns", "begun_by")
    for table in ("trials", "openings"):
        operations.drop_column(table, "dataset")
    operations.drop_table("notices")
    operations.drop_table("promotions")
    operations.drop_table("memories")
    operations.drop_table("requests")
    operations.drop_table("deletions")
    operations.drop_column("campaigns", "label")
    operations.drop_column("openings", "trials")
    operations.drop_column("reports", "attempt")
    operations.drop_column("schedules", "trusted")
    operations.drop_table("attempts")
    operations.drop_table("drives")
    operations.drop_column("campaigns", "reason")


def test_a_ledger_of_the_first_revision_is_migrated_with_its_reports(any_store: Store) -> None:
    before = first_tables(any_store)
    with pytest.raises(UserError, match=r"has older ones \(0001\).*`automl db upgrade`"):
        prepare(any_store)
    upgrade(any_store)
    assert differences(any_store) == []
    with Ledger(any_store) as ledger:
        assert ledger.reports("a-1") == before
        (trial,) = ledger.trials("a-1")
        assert ledger.report(trial.id, trial.token, Report(2, None, 1.0, {"skips": 4.0}))
        kept = ledger.reports("a-1")[trial.id]
    assert [(report.step, report.value, report.metrics) for report in kept] == [
        (1, 0.1, {"loss": 0.7}),
        (2, None, {"skips": 4.0}),
    ]


@pytest.mark.slow
def test_an_older_mlflow_store_is_migrated_only_when_asked_and_copied_first(store: Store) -> None:
    head, *older = mlflow_tables.known_revisions()
    (store.folder / "mlflow.db").unlink()
    build_mlflow(store, older[0])
    with pytest.raises(UserError, match=f"older ones \\({older[0]}\\).*`automl db upgrade`"):
        prepare(store)
    assert read_revision(store.tracking_uri, MLFLOW_VERSION_TABLE) == older[0]
    with Ledger(store) as ledger:
        ledger.create_campaign("a", {}, "d", {})
        copies = upgrade(store)
    assert read_revision(store.tracking_uri, MLFLOW_VERSION_TABLE) == head
    prepare(store)
    assert [copy.name.partition(".backup-")[0] for copy in copies] == ["ledger.db", "mlflow.db"]
    with sqlite3.connect(copies[0]) as copy:  # what was still in the write-ahead log is in the copy
        assert copy.execute("SELECT id FROM campaigns").fetchall() == [("a-1",)]
    copy.close()
    assert read_revision(f"sqlite:///{copies[1]}", MLFLOW_VERSION_TABLE) == older[0]


def build_mlflow(store: Store, revision: str) -> None:
    from alembic import command
    from mlflow.store.db.utils import InitialBase, _get_alembic_config

    engine = sa.create_engine(store.tracking_uri)
    InitialBase.metadata.create_all(engine)
    with engine.begin() as connection:
        config = _get_alembic_config(store.tracking_uri)
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()


@pytest.mark.postgres
def test_an_unreachable_server_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = resolve_store({"AUTOML_STORE": f"postgresql://me:hidden@127.0.0.1:{port}/team"}, tmp_path)
    with pytest.raises(RunError, match=f"'team' on 127.0.0.1 \\(port {port}\\)") as caught:
        prepare(store)
    assert "hidden" not in str(caught.value)
    assert listing(tmp_path) == []


@pytest.mark.postgres
def test_a_wrong_password_is_told(postgres_url: str, tmp_path: Path) -> None:
    wrong = sa.make_url(postgres_url).set(password="hidden")
    store = resolve_store({"AUTOML_STORE": wrong.render_as_string(hide_password=False)}, tmp_path)
    with pytest.raises(UserError, match="password authentication failed") as caught:
        prepare(store)
    assert "hidden" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    store = resolve_store({}, tmp_path)
    store.folder.mkdir()
    (store.folder / "ledger.db").write_text("This is a diary, dear reader, not a database." * 100)
    with pytest.raises(UserError, match=r"ledger\.db' is not: file is not a database"):
        prepare(store)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"must be writable, but .* is not: Not a directory"):
        prepare(resolve_store({"AUTOML_STORE": str(tmp_path / "file" / "below")}, tmp_path))


def test_paths_of_a_restored_store_follow_it(store: Store) -> None:
    """Also below the old folder, with quotes, and once only."""
    work, new = str(store.folder), f"{store.folder}/it's/new"
    engine = sa.create_engine(store.url)
    with engine.begin() as connection:
        insert = (
            "INSERT INTO trials (id, search, kind, number, state, attempt, token, config, seed, asked_after, "
        )
        insert += (
            "device_seconds, workdir, started_at) VALUES (:id, 's', 'trial', :n, 'running', 1, 't', '{}', 0, "
        )
        insert += "0, 0, :workdir, 1)"
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        for n, workdir in enumerate([f"{work}/work/a", f"{work}2/a", "/other", work]):
            connection.execute(sa.text(insert), {"id": f"s/{n}", "n": n, "workdir": workdir})
        for _ in range(2):
            statements, mlflow = restored_statements(
                Places(work, "s3://here"), Places(new, "s3://here"), schemas=False
            )
            for statement in statements:
                connection.execute(sa.text(statement.replace(":", r"\:")))
        found = connection.scalars(sa.text("SELECT workdir FROM trials ORDER BY number")).all()
    engine.dispose()
    assert found == [f"{new}/work/a", f"{work}2/a", "/other", new]
    assert any(f"file://{new.replace(chr(39), '%27')}" in statement for statement in mlflow)
