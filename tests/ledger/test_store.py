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

from automl.contracts import Report, UserError
from automl.ledger import Ledger, Store, prepare, resolve_store, setup, upgrade
from automl.ledger.database import make_engine
from automl.ledger.files import read_revision
from automl.ledger.mlflow_marker import VERSION_TABLE as MLFLOW_VERSION_TABLE
from automl.ledger.tables import metadata


def listing(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_store_is_a_folder_of_the_working_directory_by_default(tmp_path: Path) -> None:
    store = resolve_store({}, tmp_path)
    assert store.folder == tmp_path / ".automl"
    assert store.url == f"sqlite:///{tmp_path}/.automl/ledger.db"
    assert store.tracking_uri == f"sqlite:///{tmp_path}/.automl/mlflow.db"
    assert store.artifacts == f"{tmp_path}/.automl/artifacts"
    assert listing(tmp_path) == []


@pytest.mark.parametrize("named", ["here", "../there", "ä b?c#d%20", "/{tmp}/x", "a&b=c"])
def test_the_store_may_be_any_folder(named: str, tmp_path: Path) -> None:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    named = named.replace("/{tmp}", str(tmp_path))
    store = resolve_store({"AUTOML_STORE": named, "MLFLOW_TRACKING_URI": "sqlite:///other.db"}, cwd)
    assert sa.make_url(store.url).database == str(store.folder / "ledger.db")
    assert sa.make_url(store.tracking_uri).database == str(store.folder / "mlflow.db")
    assert store.folder == Path((cwd / named).resolve())


def test_a_database_holds_both_schemas(tmp_path: Path) -> None:
    given = "postgresql://me:p%40ss@db.example:5433/team?sslmode=require&options=-c%20statement_timeout%3D9"
    store = resolve_store({"AUTOML_STORE": given, "AUTOML_ARTIFACTS": "s3://bucket/automl"}, tmp_path)
    ours, theirs = sa.make_url(store.url), sa.make_url(store.tracking_uri)
    assert (ours.drivername, ours.host, ours.port, ours.password) == (
        "postgresql+psycopg",
        "db.example",
        5433,
        "p@ss",
    )
    assert ours.query == {"sslmode": "require", "options": "-c statement_timeout=9 -csearch_path=automl"}
    assert theirs.query["options"] == "-c statement_timeout=9 -csearch_path=mlflow"
    assert store.artifacts == "s3://bucket/automl"
    assert "ss" not in store.shown.replace("postgresql+psycopg", "") and "p%40ss" not in repr(store)


def test_folder_and_tracking_server_of_a_team(tmp_path: Path) -> None:
    environ = {
        "AUTOML_STORE": "postgres://db/team",
        "AUTOML_FOLDER": "mine",
        "MLFLOW_TRACKING_URI": "https://mlflow.example",
    }
    store = resolve_store(environ, tmp_path)
    assert store.folder == tmp_path / "mine"
    assert store.tracking_uri == "https://mlflow.example"
    assert store.artifacts == str(tmp_path / "mine" / "artifacts")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("mysql://db/x", "its scheme is 'mysql'"),
        ("sqlite:///x.db", "its scheme is 'sqlite'"),
        ("postgresql+psycopg2://db/x", "its scheme is 'postgresql\\+psycopg2'"),
        ("postgresql://me:hidden@db", "must name a database"),
        ("postgresql://me:hidden@db:port/x", "cannot be parsed"),
        ("file", "is a file"),
    ],
)
def test_a_store_that_cannot_be_is_refused_and_nothing_is_created(
    named: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=message) as caught:
        resolve_store({"AUTOML_STORE": named}, tmp_path)
    assert "hidden" not in str(caught.value)
    assert listing(tmp_path) == ["file"]


def test_a_missing_driver_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("automl.ledger.store.importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'automl-orchestrator\[postgres\]'"):
        resolve_store({"AUTOML_STORE": "postgresql://db/x"}, tmp_path)


def differences(store: Store) -> list[Any]:
    engine = make_engine(store.url)
    with engine.connect() as connection:
        options = {"version_table": setup.VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        found = compare_metadata(MigrationContext.configure(connection, opts=options), metadata)
    engine.dispose()
    return list(found)


def test_migrations_give_exactly_our_tables(any_store: Store) -> None:
    assert differences(any_store) == []
    assert read_revision(any_store.url, setup.VERSION_TABLE) == setup.HEAD


def test_the_newest_revision_is_the_head() -> None:
    assert max(setup.known_revisions()) == setup.HEAD


def test_preparing_again_changes_nothing_and_is_quick(any_store: Store) -> None:
    before = listing(any_store.folder)
    code = "from automl.ledger import prepare, resolve_store; import sys; prepare(resolve_store()); "
    code += "sys.exit('mlflow' in sys.modules or 'alembic' in sys.modules)"
    if any_store.url.startswith("sqlite"):
        subprocess.run([sys.executable, "-c", code], check=True, cwd=any_store.folder.parent)
    started = time.perf_counter()
    prepare(any_store)
    assert time.perf_counter() - started < 0.5
    assert listing(any_store.folder) == before


def _open(store: Store, barrier: Any, answers: Any) -> None:
    barrier.wait()
    try:
        with Ledger.open(store) as ledger:
            answers.put(ledger.create_campaign("a", {}, "d", {}).id)
    except BaseException as error:
        answers.put(repr(error))


def first_users(store: Store, count: int = 6) -> list[str]:
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(count), context.Queue()
    processes = [context.Process(target=_open, args=(store, barrier, answers)) for _ in range(count)]
    for process in processes:
        process.start()
    found = sorted(answers.get(timeout=120) for _ in processes)
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


@pytest.mark.slow
def test_a_first_user_killed_anywhere_leaves_no_broken_store(tmp_path: Path) -> None:
    store = resolve_store({}, tmp_path)
    code = "from automl.ledger import prepare, resolve_store; prepare(resolve_store())"
    for delay in (0.3, 0.8, 1.3, 1.8, 2.3, 2.8):
        shutil.rmtree(store.folder, ignore_errors=True)
        process = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path)
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
    table = setup.VERSION_TABLE if which == "ledger" else MLFLOW_VERSION_TABLE
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
    assert read_revision(any_store.url, setup.VERSION_TABLE) == head


def first_tables(store: Store) -> None:
    """Make the ledger of `store` one of the first revision, with a report."""
    with Ledger(store) as ledger:
        campaign = ledger.create_campaign("a", {}, "d", {})
        search = ledger.add_search(campaign.id, "random", 0).id
        trial = ledger.start_trial(search, "trial", 0, {}, seed=0, asked_after=0, workdir=None)
        assert ledger.report(trial.id, trial.token, Report(1, 0.1, 1 / 3, {"loss": 0.7}))
    engine = make_engine(store.url)
    with engine.execution_options(automl_write=True).begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("reports") as table:
            table.alter_column("value", existing_type=sa.Float, nullable=False)
        operations.drop_column("openings", "details")
    engine.dispose()
    set_revision(store.url, setup.VERSION_TABLE, "0001")


def test_a_ledger_of_the_first_revision_is_migrated_with_its_reports(any_store: Store) -> None:
    first_tables(any_store)
    with Ledger(any_store) as ledger:
        before = ledger.reports("a-1")
        (trial,) = ledger.trials("a-1")
        with pytest.raises(sa.exc.IntegrityError):
            ledger.report(trial.id, trial.token, Report(2, None, 1.0))
    with pytest.raises(UserError, match=r"has older ones \(0001\).*`automl db upgrade`"):
        prepare(any_store)
    upgrade(any_store)
    assert differences(any_store) == []
    with Ledger(any_store) as ledger:
        assert ledger.reports("a-1") == before
        assert ledger.report(trial.id, trial.token, Report(2, None, 1.0, {"skips": 4.0}))
        kept = ledger.reports("a-1")[trial.id]
    assert [(report.step, report.value, report.metrics) for report in kept] == [
        (1, 0.1, {"loss": 0.7}),
        (2, None, {"skips": 4.0}),
    ]


def test_an_older_mlflow_store_is_migrated_only_when_asked_and_copied_first(store: Store) -> None:
    from automl.recorder.setup import known_revisions

    head, *older = known_revisions()
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
    with pytest.raises(UserError, match=f"'team' on 127.0.0.1 \\(port {port}\\)") as caught:
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
