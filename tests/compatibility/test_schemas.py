"""A ledger of every revision of the tables, made by the code of its time, keeps its report when upgraded."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from in_process import automl
from old_store import assert_same
from patience import PATIENCE

from automl.ledger import resolve_store, setup
from automl.ledger.database import make_engine
from automl.ledger.layout import VERSION_TABLE

SCHEMAS = Path(__file__).with_name("schemas")
REVISIONS = sorted(path.name.partition(".")[0] for path in SCHEMAS.glob("*.tar.xz"))
REFUSED = [revision for revision in REVISIONS if revision < "0003"]  # need a command, not the first use
PARTS = ("campaigns", "searches", "trials", "reports", "openings", "drives", "attempts")  # parents first
Said = Callable[..., tuple[int, str, str]]


def unpacked(revision: str) -> tuple[str, dict[str, Any]]:
    """The SQL of a ledger, and the report that was printed then."""
    with tarfile.open(SCHEMAS / f"{revision}.tar.xz") as archive:
        texts = [archive.extractfile(name) for name in ("ledger.sql", "report.json")]
        sql, report = (text.read().decode() for text in texts if text is not None)
    return sql, dict(json.loads(report))


def sqlite_store(folder: Path, revision: str) -> dict[str, str]:
    """A store with that ledger alone, as an environment."""
    (folder / "store").mkdir()
    with closing(sqlite3.connect(folder / "store/ledger.db")) as ledger:
        ledger.executescript(unpacked(revision)[0])
    return {"AUTOML_STORE": str(folder / "store")}


def postgres_store(folder: Path, revision: str, url: str) -> dict[str, str]:
    """The same in a PostgreSQL database: tables by the migrations up to that revision, then the rows."""
    environ = {"AUTOML_STORE": url, "AUTOML_FOLDER": str(folder / "store")}
    config = Config()
    config.set_main_option("script_location", str(Path(setup.__file__).parent / "migrations"))
    engine = make_engine(resolve_store(environ, folder).url)
    rows = closing(sqlite3.connect(":memory:"))
    with rows as source, engine.begin() as connection:
        source.executescript(unpacked(revision)[0])
        source.row_factory = sqlite3.Row
        for schema in ("automl", "mlflow"):
            connection.execute(sa.schema.CreateSchema(schema))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        known = {name for (name,) in source.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for name in [part for part in PARTS if part in known]:
            for row in map(dict, source.execute(f"SELECT * FROM {name}")):
                columns = ", ".join(f'"{column}"' for column in row)
                values = ", ".join(f":{column}" for column in row)
                connection.execute(sa.text(f"INSERT INTO {name} ({columns}) VALUES ({values})"), row)
    engine.dispose()
    return environ


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Calls the program: exit code, standard output, standard error."""

    def call(environ: dict[str, str], *words: str) -> tuple[int, str, str]:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        return automl(monkeypatch, *words), *capsys.readouterr()

    return call


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], dict[str, str]]:
    """Makes a store of a revision, on SQLite or PostgreSQL."""
    if request.param == "sqlite":
        return lambda revision: sqlite_store(tmp_path, revision)
    url: str = request.getfixturevalue("postgres_url")
    return lambda revision: postgres_store(tmp_path, revision, url)


def test_every_revision_has_a_store() -> None:
    assert set(REVISIONS) == setup.known_revisions()


@pytest.mark.slow
@pytest.mark.parametrize("revision", REVISIONS)
def test_an_upgraded_store_keeps_its_report(
    make: Callable[[str], dict[str, str]], said: Said, tmp_path: Path, revision: str
) -> None:
    environ = make(revision)
    code, output, errors = said(environ, "db", "upgrade")
    assert (code, "is up to date" in output) == (0, True), errors
    copies = list((tmp_path / "store").glob("ledger.db.backup-*"))
    assert len(copies) == ("AUTOML_FOLDER" not in environ)
    code, output, errors = said(environ, "report", "upgraded", "--json")
    assert code == 0, errors
    assert_same(json.loads(output), unpacked(revision)[1])
    assert said(environ, "audit", "upgraded", "--repair")[0] == 0
    assert said(environ, "audit", "upgraded")[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("revision", REVISIONS)
def test_the_first_use_migrates_where_a_version_only_adds(tmp_path: Path, said: Said, revision: str) -> None:
    environ = sqlite_store(tmp_path, revision)
    code, output, errors = said(environ, "report", "upgraded", "--json")
    if revision in REFUSED:
        assert code == 2
        assert f"has older ones ({revision}); stop what uses it, then run `automl db upgrade`" in errors
    else:
        assert code == 0, errors
        assert_same(json.loads(output), unpacked(revision)[1])


@pytest.mark.parametrize("words", [("report", "upgraded"), ("db", "upgrade"), ("list", "campaigns")])
def test_a_newer_store_is_refused_and_stays_as_it_is(
    make: Callable[[str], dict[str, str]], said: Said, tmp_path: Path, words: tuple[str, ...]
) -> None:
    environ = make(setup.HEAD)
    engine = sa.create_engine(resolve_store(environ, tmp_path).url, poolclass=sa.pool.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE {VERSION_TABLE} SET version_num = '0999'"))
    code, _, errors = said(environ, *words)
    assert code == 2
    assert "must have this version's tables" in errors
    assert "has 0999, which only a newer version knows; install that version" in errors
    with engine.begin() as connection:
        assert connection.scalar(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")) == "0999"
    assert not list((tmp_path / "store").glob("*.backup-*"))


DIE = """
import os, signal, sys
from alembic import op
op.{operation} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
sys.argv = ["automl", "db", "upgrade"]
from automl.cli import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["batch_alter_table", "add_column", "create_table"])
def test_an_upgrade_that_dies_between_two_revisions_has_changed_nothing(
    make: Callable[[str], dict[str, str]], said: Said, operation: str
) -> None:
    environ = make(REVISIONS[0])
    died = subprocess.run(
        [sys.executable, "-c", DIE.format(operation=operation)],
        env={**os.environ, **environ},
        capture_output=True,
        timeout=PATIENCE,
    )
    assert died.returncode == -signal.SIGKILL
    code, _, errors = said(environ, "report", "upgraded")
    assert (code, f"has older ones ({REVISIONS[0]})" in errors) == (2, True)
    assert said(environ, "db", "upgrade")[0] == 0
    code, output, errors = said(environ, "report", "upgraded", "--json")
    assert code == 0, errors
    assert_same(json.loads(output), unpacked(REVISIONS[0])[1])


@pytest.mark.faults
def test_a_killed_upgrade_is_done_again(
    make: Callable[[str], dict[str, str]], said: Said, tmp_path: Path
) -> None:
    environ, rng = make(REVISIONS[0]), random.Random(11)
    upgrade = [sys.executable, "-m", "automl.cli", "db", "upgrade"]
    for moment in sorted(rng.uniform(0.5, 4.0) for _ in range(8)):
        with subprocess.Popen(
            upgrade, env={**os.environ, **environ}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            time.sleep(moment)
            process.kill()
    done = subprocess.run(
        upgrade, env={**os.environ, **environ}, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    for copy in (tmp_path / "store").glob("ledger.db.backup-*"):
        if copy.suffix != ".partial":
            with closing(sqlite3.connect(copy)) as opened:
                assert opened.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert opened.execute("SELECT count(*) FROM trials").fetchone()[0] > 0
    code, output, errors = said(environ, "report", "upgraded", "--json")
    assert code == 0, errors
    assert_same(json.loads(output), unpacked(REVISIONS[0])[1])
    assert said(environ, "audit", "upgraded", "--repair")[0] == 0
