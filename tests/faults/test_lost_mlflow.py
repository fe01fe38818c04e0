"""MLflow's SQLite file is deleted or damaged: it is told, and a repair writes all of it anew."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from in_process import automl

from automl.ledger import Ledger, resolve_store
from automl.storage import prepare

CODE = """
from automl.space import Float, Space
SPACE = Space({"x": Float(-1.0, 1.0)})
def objective(config, context):
    return config["x"]
"""
STUDY = """
name: lost
task: {metric: loss, direction: minimize}
space: "lost_code:SPACE"
evaluator: {function: {call: "lost_code:objective"}}
budget: {trials: 3}
seeds: 1
arms: {random: {strategy: random}}
final: {seeds: 0}
"""
CAMPAIGNS = ("lost-1", "lost-2")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study whose two campaigns are in MLflow; to be copied."""
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "lost_code.py").write_text(CODE)
    (folder / "lost.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("AUTOML_STORE", str(folder / "store"))
        for _ in CAMPAIGNS:
            assert automl(patch, "run", "lost.yaml", "--fresh", "--progress", "quiet") == 0
    return folder


@pytest.fixture
def file(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """MLflow's database in a copy of `recorded`, whose store the environment names."""
    shutil.copytree(recorded / "store", tmp_path / "store")
    with contextlib.closing(sqlite3.connect(tmp_path / "store/mlflow.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # all of it is in the file
    monkeypatch.setenv("AUTOML_STORE", str(tmp_path / "store"))
    yield tmp_path / "store/mlflow.db"


def damage(file: Path) -> None:
    with file.open("r+b") as opened:
        opened.write(b"not a database, but something else " * 100)


def break_inside(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(size // 2)
        opened.write(b"\xff" * (size // 4))


def delete(file: Path) -> None:
    file.unlink()


def leave_a_log(file: Path) -> None:
    """Delete the file while it is in use, so that its write-ahead log stays."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE more (x)")
        connection.executemany("INSERT INTO more VALUES (?)", [(x,) for x in range(10_000)])
        connection.commit()
        log = file.with_name("mlflow.db-wal").read_bytes()
    file.unlink()
    file.with_name("mlflow.db-wal").write_bytes(log)


@pytest.mark.slow
def test_what_mlflow_had_is_forgotten_before_there_is_a_file_again(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process killed in between leaves a ledger that knows that MLflow has nothing."""
    file.unlink()
    with monkeypatch.context() as patch:
        patch.setattr("automl.recorder.mlflow_tables.create_whole", lambda *_: sys.exit("killed"))
        with pytest.raises(SystemExit):
            prepare(resolve_store())
    with Ledger(resolve_store()) as ledger:
        assert [row.recorded for row in ledger.campaigns()] == [0, 0]
        assert {trial.recorded for trial in ledger.trials()} == {0}


@pytest.mark.slow
@pytest.mark.parametrize("lose", [damage, break_inside, delete, leave_a_log])
def test_a_repair_writes_all_of_it(
    file: Path, lose: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(lose)
    lose(file)
    assert automl(monkeypatch, "audit", "lost-1") in (1, 2)
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert automl(monkeypatch, "audit", "lost-1", "--repair", "--json") == 0
    capsys.readouterr()
    for campaign in CAMPAIGNS:
        assert automl(monkeypatch, "audit", campaign, "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["trials"] == found["runs"] == 3
    kept = list(file.parent.glob("mlflow.db.damaged-*"))
    assert len(kept) == (lose in (damage, break_inside))
