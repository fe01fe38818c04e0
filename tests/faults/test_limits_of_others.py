"""The limits of other programs: connections of PostgreSQL, room for artifacts, room in /tmp, inodes."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from in_process import automl
from mlflow import MlflowClient
from patience import PATIENCE
from postgres_server import PostgresServer, server_programs
from unleashed import RUN, TRIALS, Nemesis, check_whole, check_words, unleashed

from automl.ledger import Ledger, resolve_store
from automl.recorder import recorder

pytestmark = pytest.mark.faults


@pytest.fixture
def nemesis(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nemesis]:
    with unleashed(workspace, monkeypatch) as made:
        yield made


# --- PostgreSQL -------------------------------------------------------------------------------------


class Crowd:
    """Other programs that hold all connections of a server."""

    def __init__(self, url: str) -> None:
        self.url, self.held = url, list[psycopg.Connection[Any]]()

    def fill(self) -> None:
        """Take connections until there is none left, whoever held them before."""
        first = psycopg.connect(self.url, autocommit=True)
        held, refused = [first], 0
        end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
        first.execute(f"{end} AND pid <> {first.info.backend_pid}")
        while refused < 20:  # those that were ended leave one after the other
            try:
                held.append(psycopg.connect(self.url))
                refused = 0
            except psycopg.OperationalError:
                refused += 1
                time.sleep(0.01)
        self.held = held

    def leave(self) -> None:
        for connection in self.held:
            connection.close()

    def fill_for(self, seconds: float) -> None:
        self.fill()
        threading.Timer(seconds, self.leave).start()


@pytest.fixture(scope="module")
def small_server() -> Iterator[PostgresServer]:
    """A server with few connections."""
    if server_programs() is None:
        pytest.skip("no PostgreSQL server programs on this machine")
    with PostgresServer(settings=["max_connections=16", "superuser_reserved_connections=0"]) as server:
        yield server


@pytest.fixture
def crowd(small_server: PostgresServer, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    name = f"limits_{time.time_ns()}"
    with psycopg.connect(small_server.url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = sa.make_url(small_server.url).set(database=name).render_as_string(hide_password=False)
    monkeypatch.setenv("AUTOML_STORE", url)
    made = Crowd(small_server.url)
    yield made
    made.leave()


@pytest.mark.postgres
def test_no_connection_at_the_start(
    crowd: Crowd, nemesis: Nemesis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is waited for; when none becomes free, this is told, and nothing was begun."""
    with monkeypatch.context() as patch:
        patch.setattr("automl.ledger.database.PATIENCE", 0.5)
        crowd.fill()
        for words in (RUN, ("report", "limits"), ("schedule", "list"), ("db", "upgrade")):
            began = time.monotonic()
            assert automl(patch, *words) == 1
            told = capsys.readouterr().err
            assert "must have a free connection" in told and "raise max_connections" in told
            check_words(told)
            assert time.monotonic() - began < 60
        crowd.leave()
    crowd.fill_for(1.0)
    assert automl(monkeypatch, *RUN) == 0
    check_whole(monkeypatch, capsys)


@pytest.mark.postgres
def test_no_connection_while_trials_run(
    crowd: Crowd, nemesis: Nemesis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ledger and MLflow lose their connections, and get new ones a while later."""
    nemesis.acts = {number: lambda: crowd.fill_for(1.5) for number in (2, 5)}
    assert automl(monkeypatch, *RUN) == 0
    check_words(capsys.readouterr().err)
    check_whole(monkeypatch, capsys)


@pytest.mark.postgres
def test_no_connection_for_longer_than_patience(
    crowd: Crowd, nemesis: Nemesis, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, since the ledger cannot be written; the same command continues, and nothing is lost."""
    assert automl(monkeypatch, "schedule", "list") in (0, 2)  # the store is there
    with monkeypatch.context() as patch:
        patch.setattr("automl.ledger.database.PATIENCE", 0.5)
        nemesis.acts = {3: crowd.fill}
        assert automl(patch, *RUN) == 1
    told = capsys.readouterr().err
    assert "the ledger must be available" in told and "everything it had acknowledged is safe" in told
    check_words(told)
    crowd.leave()
    assert automl(monkeypatch, *RUN) == 0
    capsys.readouterr()
    assert automl(monkeypatch, "audit", "limits", "--json") == 0
    assert json.loads(capsys.readouterr().out)["trials"] == TRIALS
    with Ledger(resolve_store()) as ledger:
        assert {str(trial.state) for trial in ledger.trials()} == {"complete"}


@pytest.mark.postgres
def test_a_server_that_is_killed_and_started_again_while_trials_run(
    crashable_postgres: PostgresServer,
    nemesis: Nemesis,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("AUTOML_STORE", crashable_postgres.url)

    def restart() -> None:
        crashable_postgres.kill()
        crashable_postgres.start()

    nemesis.acts = {2: restart, 5: restart}
    assert automl(monkeypatch, *RUN) == 0
    check_words(capsys.readouterr().err)
    check_whole(monkeypatch, capsys)


# --- artifacts, /tmp --------------------------------------------------------------------------------


@contextlib.contextmanager
def disk(place: Path, options: str, flags: int = 0) -> Iterator[None]:
    """A small file system at `place`, for root; the test is skipped where that is not allowed."""
    place.mkdir(exist_ok=True)
    library = ctypes.CDLL(None, use_errno=True)
    if library.mount(b"tmpfs", str(place).encode(), b"tmpfs", flags, options.encode()) != 0:
        pytest.skip(f"cannot mount a small disk here: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        library.umount2(str(place).encode(), 2)


@contextlib.contextmanager
def full(place: Path) -> Iterator[None]:
    """ENOSPC of the system itself."""
    with disk(place, "size=64k"):
        (place / "ballast").write_bytes(b"0" * os.statvfs(place).f_bavail * os.statvfs(place).f_frsize)
        yield


@contextlib.contextmanager
def without_inodes(place: Path) -> Iterator[None]:
    """Room for bytes, none for files."""
    with disk(place, "size=1m,nr_inodes=2"):
        (place / "last").touch()
        yield


@contextlib.contextmanager
def read_only(place: Path) -> Iterator[None]:
    """EROFS of the system itself: modes do not bind root."""
    with disk(place, "size=1m", flags=1):
        yield


@contextlib.contextmanager
def a_file(place: Path) -> Iterator[None]:
    """ENOTDIR: a file where a folder must be."""
    place.write_text("a file")
    yield
    place.unlink()


@contextlib.contextmanager
def no_folder(place: Path) -> Iterator[None]:
    """ENOENT: a link that leads nowhere."""
    place.symlink_to(place.parent / "not" / "mounted")
    yield
    place.unlink()


def failing(number: int) -> Callable[[Path], contextlib.AbstractContextManager[None]]:
    """The error that the system gives for a quota or a broken disk, which no test can make without one."""

    @contextlib.contextmanager
    def made(_place: Path) -> Iterator[None]:
        def refuse(*_: object) -> None:
            raise OSError(number, os.strerror(number))

        with pytest.MonkeyPatch.context() as patch:
            for name in ("log_artifact", "log_artifacts"):
                patch.setattr(MlflowClient, name, refuse)
            yield

    made.__name__ = errno.errorcode[number]
    return made


PLACES = [full, without_inodes, read_only, a_file, no_folder, failing(errno.EDQUOT), failing(errno.EIO)]


@pytest.mark.parametrize("broken", PLACES, ids=lambda one: one.__name__)
def test_artifacts_that_cannot_be_kept(
    broken: Callable[[Path], contextlib.AbstractContextManager[None]],
    nemesis: Nemesis,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Trials and their runs are whole, the missing files are told, and a repair uploads them."""
    monkeypatch.setenv("AUTOML_ARTIFACTS", str(workspace / "artifacts"))
    monkeypatch.setattr(recorder.Recorder.drain, "__defaults__", (1.0, PATIENCE))
    with broken(workspace / "artifacts"):
        assert automl(monkeypatch, *RUN) == 0
        told = capsys.readouterr().err + caplog.text
        assert "does not have all of limits-1 yet" in told and "--repair" in told
        check_words(told)
        assert automl(monkeypatch, "audit", "limits", "--repair") == 1
        check_words(capsys.readouterr().err)
    check_whole(monkeypatch, capsys, "--repair")
    kept = {path.name for path in (workspace / "artifacts").rglob("*") if path.is_file()}
    assert {"report.html", "study.json", "winner.json"} <= kept


@pytest.mark.parametrize("broken", PLACES[:5], ids=lambda one: one.__name__)
def test_a_temporary_folder_that_cannot_be_used(
    broken: Callable[[Path], contextlib.AbstractContextManager[None]],
    nemesis: Nemesis,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing is lost or told, since nothing of it is needed; an error without its file is still told."""
    folder = workspace / "temporary"
    with broken(folder):
        monkeypatch.setenv("TMPDIR", str(folder))
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        assert automl(monkeypatch, *RUN) == 0
        assert "safe in the ledger" not in capsys.readouterr().err
        check_whole(monkeypatch, capsys)
        with monkeypatch.context() as patch:
            patch.setattr("automl.report.terminal", lambda _: 1 / 0)
            assert automl(patch, "report", "limits") == 1
        told = capsys.readouterr().err
        assert "division by zero" in told and "Traceback" not in told and "--debug" in told
    assert not list(folder.parent.glob(".automl/automl-*")), "copies are removed"
    shutil.rmtree(folder, ignore_errors=True)
