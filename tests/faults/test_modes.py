"""Everything in a store is for its user alone, whatever the umask and whoever wrote it: MLflow, SQLite."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from in_process import automl

from automl.private import private, private_in

CODE = """
import os
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})

def objective(config, context):
    (context.workdir / "own").mkdir(parents=True, exist_ok=True)
    (context.workdir / "own.txt").write_text("mine")
    context.artifact("note.txt").write_text("hello")
    context.checkpoint.save(1, {"x": config["x"]})
    context.report(1, config["x"])
    os.umask(0)  # what it makes from here on is its own affair
    return config["x"]
"""
STUDY = """
name: modes
task: {metric: loss, direction: minimize}
space: "modes_code:SPACE"
evaluator: {function: {call: "modes_code:objective"}}
budget: {trials: 2}
seeds: 1
arms: {random: {strategy: random}}
executor: %s
final: {seeds: 1}
schedule: {cron: "* * * * *"}
"""
WANTED: Final = {
    "ledger.db",
    "mlflow.db",
    "signing.key",
    "report.html",
    "alive.json",
    "note.txt",
    "best.yaml",
}


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=["000", "022", "077"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield int(request.param)
    os.umask(before)


def wide(store: Path) -> dict[str, str]:
    """What others can read, write or enter."""
    found = {}
    for path in (store, *store.rglob("*")):
        mode = stat.S_IMODE(path.lstat().st_mode)
        if mode & 0o077:
            found[str(path)] = f"{mode:o}"
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    "executor", ["local", "{local: {isolate: true}}", pytest.param("ray", marks=pytest.mark.ray)]
)
def test_a_whole_campaign(
    executor: str, umask: int, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if executor != "local" and umask != 0:
        pytest.skip("the widest is tried on every executor")
    (workspace / "modes_code.py").write_text(CODE)
    (workspace / "modes.yaml").write_text(STUDY % executor)
    store = workspace / "store"
    monkeypatch.setenv("AUTOML_STORE", str(store))
    for words in (
        ["run", "modes.yaml", "--progress", "quiet"],
        ["export", "modes", "-o", str(store / "best.yaml")],
        ["export", "modes", "-o", "mine.yaml"],
        ["report", "modes", "--html", str(store / "page.html")],
        ["schedule", "add", "modes.yaml"],
        ["audit", "modes", "--repair"],
    ):
        assert automl(monkeypatch, *words) == 0
    assert not wide(store)
    assert {path.name for path in store.rglob("*")} >= WANTED
    mode = stat.S_IMODE((workspace / "mine.yaml").stat().st_mode)
    assert mode == 0o666 & ~umask, "what a user asks for elsewhere is the user's"


@pytest.mark.slow
def test_the_files_beside_a_database_are_like_it(umask: int, workspace: Path) -> None:
    """SQLite's write-ahead log while the store is open."""
    code = (
        "from automl.storage import open_ledger; from automl.ledger import resolve_store; import os\n"
        "with open_ledger(resolve_store({'AUTOML_STORE': 'store'})) as ledger:\n"
        "    ledger.create_campaign('a', {}, 'd', {})\n"
        "    print(sorted(os.listdir('store')), flush=True); input()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert "ledger.db-wal" in process.stdout.readline()
        found = wide(workspace / "store")
        process.communicate("\n")
    assert not found


def test_a_migration_copies_for_its_user_alone(
    store_folder: Path, umask: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_STORE", str(store_folder))
    assert automl(monkeypatch, "db", "upgrade") == 0
    copies = list(store_folder.glob("*.backup-*"))
    assert copies and not any(stat.S_IMODE(path.stat().st_mode) & 0o077 for path in copies)


@pytest.fixture
def store_folder(prepared_store: object, tmp_path: Path) -> Path:
    folder = tmp_path / "copied"
    shutil.copytree(prepared_store.folder, folder)  # type: ignore[attr-defined]
    return folder


def test_a_store_that_is_open_to_others_is_told_and_left(
    store_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody may have opened it for a group."""
    for path in (store_folder, *store_folder.rglob("*")):
        path.chmod(0o770 if path.is_dir() else 0o664)
    monkeypatch.setenv("AUTOML_STORE", str(store_folder))
    automl(monkeypatch, "list", "campaigns")
    capsys.readouterr()
    automl(monkeypatch, "doctor")
    told = capsys.readouterr().out
    assert f"others on this machine may write {store_folder} (mode 770)" in told
    assert f"→ chmod -R go= {store_folder}" in told
    assert stat.S_IMODE((store_folder / "ledger.db").stat().st_mode) == 0o664
    subprocess.run(["chmod", "-R", "go=", store_folder], check=True)
    automl(monkeypatch, "doctor")
    assert "its files and folders are for this user alone" in capsys.readouterr().out


def test_the_umask_of_a_caller_is_put_back(umask: int, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), private():
        (tmp_path / "inside").write_text("")
        raise ZeroDivisionError
    (tmp_path / "after").write_text("")
    assert stat.S_IMODE((tmp_path / "inside").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "after").stat().st_mode) == 0o666 & ~umask
    (tmp_path / "way").symlink_to(tmp_path)
    for place in (tmp_path / "a", tmp_path / "way/b", tmp_path / "x/../c"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with private_in(tmp_path, place):
            place.write_text("")
        assert stat.S_IMODE(place.stat().st_mode) == 0o600
    with private_in(tmp_path / "x", tmp_path / "d"):
        (tmp_path / "d").write_text("")
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o666 & ~umask
