"""Every command on a broken database: it tells the rule, what was found and what to do, and no traceback."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from in_process import automl
from postgres_server import PostgresServer, server_programs

from automl import doctor

CODE = """
from automl.space import Float, Space
SPACE = Space({"x": Float(-1.0, 1.0)})
def objective(config, context):
    return config["x"]
"""
STUDY = """
name: raw
task: {metric: loss, direction: minimize}
space: "raw_code:SPACE"
evaluator: {function: {call: "raw_code:objective"}}
budget: {trials: 3}
seeds: 1
arms: {random: {strategy: random}}
final: {seeds: 1}
schedule: {cron: "0 2 * * *"}
"""
READING = (
    "report raw",
    "report raw --json",
    "report raw --html page.html",
    "audit raw",
    "export raw -o best.yaml",
    "export raw --optuna sqlite:///optuna.db",
    "schedule list",
    "list campaigns",
    "ui",
    "doctor",
)
WRITING = (
    "run raw.yaml --progress quiet",
    "run raw.yaml --fresh --progress quiet",
    "audit raw --repair",
    "schedule add raw.yaml",
    "schedule pause raw",
    "schedule resume raw",
    "schedule tick",
    "schedule run",
    "schedule remove raw",
    "db upgrade",
)
NOTHING_DUE = ("schedule tick", "schedule run", "db upgrade")  # they write only when there is something
RAW = re.compile(
    r"Traceback|unexpected |\[SQL|sqlalche\.me|psycopg\.|sqlite3\.|sqlalchemy\.|File \"|Error\b(?=:)",
    re.MULTILINE,
)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study, and a store with a campaign and a schedule of it; to be copied."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "raw_code.py").write_text(CODE)
    (folder / "raw.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert automl(patch, "run", "raw.yaml", "--progress", "quiet") == 0
        assert automl(patch, "schedule", "add", "raw.yaml") == 0
    with contextlib.closing(sqlite3.connect(folder / ".automl/ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of `recorded`, which is the working folder."""
    shutil.copytree(recorded, tmp_path / "here")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("automl.ledger.database.PATIENCE", 0.2)
    monkeypatch.setattr("automl.recorder.ui.serve", lambda *_, **__: None)
    monkeypatch.setattr("automl.doctor.examine", lambda: doctor._store(os.environ))
    monkeypatch.setattr("automl.schedule.serving._until_signalled", until_waited)
    return tmp_path / "here"


class Once(threading.Event):
    """An event that the first waiting sets: a daemon ends after one round."""

    def wait(self, timeout: float | None = None) -> bool:
        self.set()
        return True


@contextlib.contextmanager
def until_waited() -> Iterator[Once]:
    yield Once()


def check_all(
    patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, works: Collection[str] = ()
) -> None:
    """Each command ends with words for its user; `works`: those that need not fail."""
    wrong = []
    for words in (*READING, *WRITING):
        capsys.readouterr()
        code = automl(patch, *words.split())
        out, err = capsys.readouterr()
        told = out if words == "doctor" else err
        last = ([line for line in told.splitlines() if line.strip()] or [""])[-1]
        if words in works and code == 0:
            continue
        if os.environ.get("SHOW"):
            sys.__stderr__.write(f"{words}: {code}: {told.strip()}\n")
        fine = (
            "PROBLEM" in told if words == "doctor" else "; " in last and re.search("must|was deleted", last)
        )
        if code not in (1, 2) or RAW.search(told) or not fine:
            wrong.append(f"{words}: {code}: {told}")
    assert not wrong, "\n\n".join(wrong)


def db(folder: Path) -> Path:
    return folder / ".automl/ledger.db"


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def empty(file: Path) -> None:
    file.write_bytes(b"")


def header_only(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def half(file: Path) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: len(data) // 2])


def a_text(file: Path) -> None:
    file.write_bytes(b"once upon a time " * 1000)


def scribble(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[100:] = bytes(range(256)) * (len(data) // 256)
    file.write_bytes(data)


def dangling(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.parent / "nowhere" / "ledger.db")


def loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def device(file: Path) -> None:
    file.unlink()
    file.symlink_to("/dev/full")


def foreign(file: Path) -> None:
    file.unlink()
    execute(file, "CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT)")


def without_version(file: Path) -> None:
    execute(file, "DROP TABLE automl_alembic_version")


def no_version_row(file: Path) -> None:
    execute(file, "DELETE FROM automl_alembic_version")


def newer(file: Path) -> None:
    execute(file, "UPDATE automl_alembic_version SET version_num = '9999'")


def two_versions(file: Path) -> None:
    execute(file, "INSERT INTO automl_alembic_version VALUES ('9999')")


def version_is_a_view(file: Path) -> None:
    execute(
        file, "DROP TABLE automl_alembic_version", "CREATE VIEW automl_alembic_version AS SELECT 1 AS other"
    )


def no_campaigns(file: Path) -> None:
    execute(file, "PRAGMA foreign_keys = OFF", "DROP TABLE campaigns")


def no_trials(file: Path) -> None:
    execute(file, "PRAGMA foreign_keys = OFF", "DROP TABLE trials", "DROP TABLE schedules")


def no_column(file: Path) -> None:
    execute(file, "ALTER TABLE campaigns DROP COLUMN reason", "ALTER TABLE schedules DROP COLUMN paused")


def execute(file: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


FILES = [a_folder, empty, header_only, half, a_text, scribble, dangling, loop, fifo, device, foreign]
FILES += [without_version, no_version_row, newer, two_versions, version_is_a_view]
FILES += [no_campaigns, no_trials, no_column]


@pytest.mark.faults
@pytest.mark.parametrize("break_it", FILES, ids=lambda one: one.__name__)
def test_a_file_that_is_no_ledger(
    folder: Path,
    break_it: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    break_it(db(folder))
    check_all(monkeypatch, capsys)


@pytest.mark.slow
def test_a_ledger_that_another_process_locks(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = "import sqlite3, sys, time; c = sqlite3.connect(sys.argv[1], isolation_level=None); "
    code += "c.execute('PRAGMA locking_mode = EXCLUSIVE'); c.execute('BEGIN EXCLUSIVE'); "
    code += "c.execute('DELETE FROM schedules'); print('held', flush=True); time.sleep(1000)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(db(folder))], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        try:
            check_all(monkeypatch, capsys)
        finally:
            holder.kill()
    assert automl(monkeypatch, "report", "raw", "--json") == 0


@contextlib.contextmanager
def mounted(source: Path, place: Path, kind: str, flags: int, options: str = "") -> Iterator[None]:
    """A mount at `place`, for root; the test is skipped where that is not allowed."""
    library = ctypes.CDLL(None, use_errno=True)
    arguments = [str(source).encode(), str(place).encode(), kind.encode(), flags, options.encode()]
    if library.mount(*arguments) != 0:
        pytest.skip(f"cannot mount here: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        library.umount2(str(place).encode(), 2)


BIND, READ_ONLY, REMOUNT = 4096, 1, 32


@pytest.mark.faults
@pytest.mark.parametrize("what", ["file", "folder"])
def test_a_ledger_on_a_disk_that_is_mounted_read_only(
    folder: Path, what: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """EROFS of the system itself: modes do not bind root."""
    place = db(folder) if what == "file" else db(folder).parent
    with mounted(place, place, "", BIND), mounted(place, place, "", BIND | REMOUNT | READ_ONLY):
        works = {*READING, *(NOTHING_DUE if what == "file" else ())}
        check_all(monkeypatch, capsys, works=works)


# --- PostgreSQL -------------------------------------------------------------------------------------


def server_url() -> str:
    return os.environ["AUTOML_STORE"]


def changed(url: str, **parts: str | int) -> str:
    return sa.make_url(url).set(**parts).render_as_string(hide_password=False)  # type: ignore[arg-type]


def administrator(url: str, *statements: str) -> None:
    engine = sa.create_engine(changed(url, drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def role(url: str, *grants: str) -> str:
    """The store by a role with these rights alone."""
    name = f"guest_{sa.make_url(url).database}"
    administrator(
        url, f"CREATE ROLE {name} LOGIN PASSWORD 'guest-word'", *(one.format(role=name) for one in grants)
    )
    return changed(url, username=name, password="guest-word")


USE = "GRANT USAGE ON SCHEMA automl, mlflow TO {role}"
READ = "GRANT SELECT ON ALL TABLES IN SCHEMA automl, mlflow TO {role}"
WRITE = "GRANT INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA automl, mlflow TO {role}"


def reader(url: str) -> str:
    return role(url, USE, READ)


def without_rights(url: str) -> str:
    return role(url)


def without_one_table(url: str) -> str:
    return role(url, USE, READ, WRITE, "REVOKE ALL ON automl.campaigns, automl.schedules FROM {role}")


def without_the_version(url: str) -> str:
    return role(url, USE, READ, WRITE, "REVOKE ALL ON automl.automl_alembic_version FROM {role}")


def reading_transactions(url: str) -> str:
    return f"{url}?options=-cdefault_transaction_read_only%3Don"


def wrong_password(url: str) -> str:
    return changed(url, password="hunter-two")


def unknown_user(url: str) -> str:
    return changed(url, username="nobody")


def no_database(url: str) -> str:
    return changed(url, database="elsewhere")


def closed_port(url: str) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return changed(url, port=int(probe.getsockname()[1]))


def unknown_host(url: str) -> str:
    return changed(url, host="no-such-host.invalid")


def a_table_dropped(url: str) -> str:
    administrator(url, "DROP TABLE automl.trials CASCADE")
    return url


def a_column_dropped(url: str) -> str:
    administrator(url, "ALTER TABLE automl.campaigns DROP COLUMN reason CASCADE")
    return url


def a_column_renamed(url: str) -> str:
    administrator(url, "ALTER TABLE automl.schedules RENAME COLUMN cron TO crown")
    return url


def the_version_dropped(url: str) -> str:
    administrator(url, "DROP TABLE automl.automl_alembic_version")
    return url


def foreign_tables(url: str) -> str:
    administrator(
        url, "DROP SCHEMA automl CASCADE", "CREATE SCHEMA automl", "CREATE TABLE automl.cars (id int)"
    )
    return url


@pytest.fixture(scope="module")
def recorded_on_server(recorded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database with a campaign and a schedule; to be copied."""
    if server_programs() is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    with PostgresServer() as server, pytest.MonkeyPatch.context() as patch:
        administrator(server.url, "CREATE DATABASE recorded")
        url = changed(server.url, database="recorded")
        patch.chdir(recorded)
        patch.setenv("AUTOML_STORE", url)
        patch.setenv("AUTOML_FOLDER", str(tmp_path_factory.mktemp("server")))
        assert automl(patch, "run", "raw.yaml", "--progress", "quiet") == 0
        assert automl(patch, "schedule", "add", "raw.yaml") == 0
        yield url


@pytest.fixture
def url(recorded_on_server: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A copy of that database."""
    name = f"copy_{abs(hash(request.node.name))}"
    postgres = changed(recorded_on_server, database="postgres")
    administrator(
        postgres,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'recorded'",
        f"CREATE DATABASE {name} TEMPLATE recorded",
    )
    yield changed(recorded_on_server, database=name)
    administrator(postgres, f"DROP DATABASE {name} WITH (FORCE)")


REFUSED = [without_rights, without_the_version, wrong_password, unknown_user, no_database, closed_port]
BROKEN = [unknown_host, a_table_dropped, a_column_dropped, a_column_renamed, the_version_dropped]
BROKEN += [foreign_tables]


@pytest.mark.faults
@pytest.mark.postgres
@pytest.mark.parametrize("break_it", REFUSED + BROKEN, ids=lambda one: one.__name__)
def test_a_server_that_has_no_ledger_for_this_user(
    url: str,
    break_it: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUTOML_STORE", break_it(url))
    check_all(monkeypatch, capsys)


@pytest.mark.faults
@pytest.mark.postgres
@pytest.mark.parametrize("break_it", [reader, reading_transactions], ids=lambda one: one.__name__)
def test_a_user_who_may_only_read(
    url: str,
    break_it: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUTOML_STORE", break_it(url))
    check_all(monkeypatch, capsys, works={*READING, "db upgrade"})


@pytest.mark.faults
@pytest.mark.postgres
def test_a_user_without_rights_on_two_tables(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOML_STORE", without_one_table(url))
    check_all(monkeypatch, capsys, works=("ui", "db upgrade"))
