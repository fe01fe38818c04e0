"""What all tests share: one thread a process, a clean environment, stores, a PostgreSQL server.

This folder is on the path (for `fake_context`, `postgres_server`).
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import s3_server
import sqlalchemy as sa
from hypothesis import is_hypothesis_test, settings
from postgres_server import PostgresServer, server_programs
from s3_server import S3, Bucket

from automl.ledger import Ledger, Store, resolve_store
from automl.ledger.files import read_revision
from automl.recorder.mlflow_marker import VERSION_TABLE, write_marker
from automl.storage import open_ledger, prepare

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")
PG_URL = os.environ.get("AUTOML_TEST_PG_URL", "")
for name in list(os.environ):  # a developer's own store and server stay out of the tests
    if name.startswith(("AUTOML_", "MLFLOW_")) and not name.startswith(("AUTOML_DATA", "AUTOML_TEST_")):
        del os.environ[name]
os.environ.update(
    MLFLOW_DISABLE_TELEMETRY="true",
    DO_NOT_TRACK="true",
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT="1",
    RAY_USAGE_STATS_ENABLED="0",
)


settings.register_profile("test", derandomize=True, deadline=None, database=None)  # the same on every run
settings.register_profile("soak", derandomize=False, deadline=None, database=None, print_blob=True)
settings.load_profile("test")
LONG = {
    "slow",
    "ray",
    "postgres",
    "browser",
    "gpu",
    "faults",
}  # marks of tests that may take longer than a second
NAMED, TOO_LONG = 1.0, 100.0  # seconds of the process's own CPU; machines differ by a factor of three


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if is_hypothesis_test(item.obj if isinstance(item, pytest.Function) else None):
            item.add_marker(pytest.mark.property)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)  # long files first, so that workers end together


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """A unit test takes less than a second of CPU: what takes more is named at the end, or fails."""
    start = time.process_time()
    yield
    seconds = time.process_time() - start
    if not LONG & {mark.name for mark in item.iter_markers()}:
        item.user_properties.append(("cpu_seconds", seconds))
        if seconds > TOO_LONG:
            pytest.fail(f"took {seconds:.1f} s of CPU: make it faster, or mark it slow")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, [])]
    took = {report.nodeid: dict(report.user_properties).get("cpu_seconds", 0.0) for report in reports}
    slowest = sorted(((s, name) for name, s in took.items() if s > NAMED), reverse=True)
    if slowest:
        terminalreporter.write_sep("-", f"{len(slowest)} unit tests over {NAMED:g} s of CPU; the slowest")
        for seconds, name in slowest[:10]:
            terminalreporter.write_line(f"{seconds:5.1f} s  {name}")


@pytest.fixture(autouse=True)
def no_errors_in_the_log(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test fails when anything logs an error, unless it is marked `logs_errors`."""
    handler = _Kept()
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    if handler.messages and request.node.get_closest_marker("logs_errors") is None:
        pytest.fail(f"logged: {handler.messages[:3]}; mark the test logs_errors if that is meant")


@pytest.fixture(autouse=True)
def no_code_of_another_test(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Modules that a test wrote are forgotten: one of the same name in the next test is another one."""
    before, base = set(sys.modules), str(tmp_path_factory.getbasetemp().resolve())
    yield
    sys.path[:] = [place for place in sys.path if not place.startswith(base)]
    for name in sys.modules.keys() - before:
        if str(vars(sys.modules[name]).get("__file__")).startswith(base):
            del sys.modules[name]


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name}: {record.getMessage()}")


def pytest_configure(config: pytest.Config) -> None:
    # 2026-11-21, mlflow 3.17 with SQLAlchemy 2.1
    noload = "ignore:The ``noload`` loader strategy:sqlalchemy.exc.SADeprecationWarning"
    config.addinivalue_line("filterwarnings", noload)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the working directory of the test."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """An S3 server on loopback."""
    with s3_server.serving() as server:
        yield server


@pytest.fixture
def bucket(s3: S3, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket of that server, which this process can reach."""
    for name, value in s3.environ.items():
        monkeypatch.setenv(name, value)
    return s3.bucket()


@pytest.fixture(scope="session")
def prepared_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A prepared SQLite store, only to be copied: MLflow's migrations take seconds."""
    store = resolve_store({}, tmp_path_factory.mktemp("prepared"))
    prepare(store)
    return store


@pytest.fixture
def new_store(prepared_store: Store) -> Callable[[Path], Store]:
    """Makes a fresh, prepared SQLite store in `.automl` of a folder."""

    def make(folder: Path) -> Store:
        fresh = resolve_store({}, folder)
        fresh.folder.mkdir(parents=True)
        for file in ("ledger.db", "mlflow.db"):
            shutil.copy(prepared_store.folder / file, fresh.folder / file)
        _adopt(fresh)
        return fresh

    return make


@pytest.fixture
def store(new_store: Callable[[Path], Store], tmp_path: Path) -> Store:
    """A fresh, prepared SQLite store in `tmp_path/.automl`."""
    return new_store(tmp_path)


def _adopt(store: Store) -> None:
    """Make a copied store look as if it had been prepared where it is."""
    engine = sa.create_engine(store.tracking_uri)
    with engine.begin() as connection:
        artifacts = f"{store.artifacts}/0"
        connection.execute(sa.text("UPDATE experiments SET artifact_location = :a"), {"a": artifacts})
    engine.dispose()
    write_marker(store, read_revision(store.tracking_uri, VERSION_TABLE) or "")


@pytest.fixture
def ledger(store: Store) -> Iterator[Ledger]:
    """The ledger of `store`."""
    with open_ledger(store) as opened:
        yield opened


@pytest.fixture(scope="session")
def postgres_server_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server: that of `AUTOML_TEST_PG_URL`, or one of our own for the whole session."""
    if PG_URL:
        yield PG_URL
        return
    if server_programs() is None:
        pytest.skip("no PostgreSQL: set AUTOML_TEST_PG_URL, or install its server programs")
    with PostgresServer() as server:
        yield server.url


@contextmanager
def _database(server_url: str, template: str) -> Iterator[str]:
    name = f"automl_{secrets.token_hex(6)}"
    url = sa.make_url(server_url).set(drivername="postgresql+psycopg")
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield url.set(drivername="postgresql", database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    engine.dispose()


@pytest.fixture
def postgres_url(postgres_server_url: str) -> Iterator[str]:
    """An empty database, as a user writes it into `AUTOML_STORE`."""
    with _database(postgres_server_url, "template1") as url:
        yield url


@pytest.fixture(scope="session")
def prepared_database(postgres_server_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a prepared database, only to be copied."""
    with _database(postgres_server_url, "template1") as url:
        prepare(resolve_store({"AUTOML_STORE": url}, tmp_path_factory.mktemp("prepared")))
        yield sa.make_url(url).database or ""


@pytest.fixture
def postgres_store(postgres_server_url: str, prepared_database: str, tmp_path: Path) -> Iterator[Store]:
    """A fresh, prepared store in an own PostgreSQL database."""
    with _database(postgres_server_url, prepared_database) as url:
        fresh = resolve_store({"AUTOML_STORE": url}, tmp_path)
        fresh.folder.mkdir()
        _adopt(fresh)
        yield fresh


@pytest.fixture
def crashable_postgres() -> Iterator[PostgresServer]:
    """A server of this test alone, durable, to be killed and started again."""
    if server_programs() is None:
        pytest.skip("no PostgreSQL server programs on this machine to start and kill one")
    with PostgresServer(durable=True) as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def any_store(request: pytest.FixtureRequest) -> Store:
    """A fresh store: each test with it runs on SQLite and on PostgreSQL."""
    name = "store" if request.param == "sqlite" else "postgres_store"
    return request.getfixturevalue(name)


@pytest.fixture
def any_ledger(any_store: Store) -> Iterator[Ledger]:
    """The ledger of `any_store`."""
    with Ledger(any_store) as opened:
        yield opened
