"""Backups that are taken while a campaign runs and is killed: restored elsewhere, nothing of them is lost."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from patience import PATIENCE

from automl.contracts import TrialState
from automl.ledger import Ledger, Store, resolve_store

pytestmark = pytest.mark.faults

SCRIPTS = Path(__file__).parents[2] / "mlflow"
TRIALS = 8
SPACE = """
from automl.space import Float, Space
PLUGIN = Space({"x": Float(-1.0, 1.0)})
"""
CODE = """
import time

def objective(config, context):
    found = context.checkpoint.load()
    for step in range(found[0] + 1 if found else 1, 4):
        time.sleep(0.05)
        context.checkpoint.save(step, {"step": step})
        context.artifact(f"step-{step}.txt").write_text("x" * 20_000)
        context.report(step, config["x"] ** 2 + 1 / step)
    return config["x"] ** 2
"""
STUDY = f"""
name: saved
task: {{metric: loss, direction: minimize}}
space: "saved_space:PLUGIN"
evaluator: {{function: {{call: "saved_code:objective"}}}}
budget: {{trials: {TRIALS}}}
seeds: [0]
arms: {{random: {{strategy: random}}, tpe: {{strategy: tpe}}}}
executor: local
final: {{seeds: 0}}
"""


def script(name: str, *arguments: Any, store: Mapping[str, str], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["sh", SCRIPTS / name, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **store},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def done(process: subprocess.Popen[str]) -> str:
    """What a script printed, once it has ended well."""
    output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    return output.strip()


def automl(*words: str, store: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "automl.cli", *words]
    ended = subprocess.run(
        command, env={**os.environ, **store}, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def write(folder: Path) -> Path:
    folder.mkdir()
    (folder / "saved_space.py").write_text(SPACE)
    (folder / "saved_code.py").write_text(CODE)
    (folder / "saved.yaml").write_text(STUDY)
    return folder / "saved.yaml"


def ended(store: Mapping[str, str], cwd: Path) -> dict[str, tuple[Any, ...]]:
    """What a store has of every trial that has ended."""
    with Ledger(resolve_store(store, cwd)) as ledger:
        return {
            row.id: (row.config, str(row.state), row.values, row.device_seconds, row.finished_at)
            for row in ledger.trials()
            if row.state is not TrialState.RUNNING
        }


def killed_run(study: Path, store: Mapping[str, str], seconds: float) -> None:
    """Run a study, and SIGKILL its driver so many seconds after its campaign has begun."""
    command = [sys.executable, "-m", "automl.cli", "run", str(study), "--progress", "quiet"]
    process = subprocess.Popen(
        command, env={**os.environ, **store}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    work = resolve_store(store, study.parent).folder / "work"
    while process.poll() is None and not any(work.glob("*/*/*/checkpoints/*")):
        time.sleep(0.01)
    time.sleep(seconds)
    process.kill()
    process.wait()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """The environment of an empty prepared store, and of a place elsewhere to restore into."""
    if request.param == "sqlite":
        request.getfixturevalue("store")
        return {"AUTOML_STORE": str(tmp_path / ".automl")}, {"AUTOML_STORE": str(tmp_path / "else/where")}
    prepared: Store = request.getfixturevalue("postgres_store")
    url = sa.make_url(prepared.url).set(drivername="postgresql", query={})
    return (
        {
            "AUTOML_STORE": url.render_as_string(hide_password=False),
            "AUTOML_FOLDER": str(tmp_path / ".automl"),
        },
        {
            "AUTOML_STORE": request.getfixturevalue("postgres_url"),
            "AUTOML_FOLDER": str(tmp_path / "else/where"),
        },
    )


def test_a_backup_amid_kills_is_restored_elsewhere_and_goes_on(stores: Any, tmp_path: Path) -> None:
    running, elsewhere = stores
    study, rng = write(tmp_path / "study"), random.Random(3)
    backups = []
    for _ in range(3):
        saving = script("backup.sh", tmp_path / "backups", store=running, cwd=tmp_path)
        killed_run(study, running, rng.uniform(0.0, 0.8))
        backups.append(done(saving))
    done(script("backup.sh", tmp_path / "backups", store=running, cwd=tmp_path))
    chosen = backups[-1]
    before = ended(running, tmp_path)
    (tmp_path / ".automl").rename(tmp_path / "gone")

    done(script("restore.sh", chosen, store=elsewhere, cwd=tmp_path))
    restored = ended(elsewhere, tmp_path)
    assert restored.items() <= before.items()
    automl("audit", "saved", "--repair", store=elsewhere)
    automl("audit", "saved", store=elsewhere)
    automl("run", str(study), "--progress", "quiet", store=elsewhere)
    found = json.loads(automl("audit", "saved", "--json", store=elsewhere))
    assert (found["trials"], found["runs"]) == (2 * TRIALS, 2 * TRIALS)
    after = ended(elsewhere, tmp_path)
    assert restored.items() <= after.items()
    assert len(after) == 2 * TRIALS
    assert not (tmp_path / ".automl").exists()  # nothing went to where the store had been


def test_a_killed_backup_looks_unfinished_and_a_killed_restore_is_done_again(
    stores: Any, tmp_path: Path
) -> None:
    running, elsewhere = stores
    killed_run(write(tmp_path / "study"), running, 0.3)
    start, rng, folder = time.monotonic(), random.Random(5), tmp_path / "backups"
    done(script("backup.sh", folder, store=running, cwd=tmp_path))
    took = time.monotonic() - start
    for _ in range(8):
        kill(script("backup.sh", folder, store=running, cwd=tmp_path), rng.uniform(0.3, 1.1) * took)
        time.sleep(1)  # their names have seconds
    whole = [path for path in folder.iterdir() if path.suffix != ".partial"]
    for path in whole:
        assert subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=path).returncode == 0
        assert {"places", "work.tar.gz"} < {file.name for file in path.iterdir()}
    unfinished = [path for path in folder.iterdir() if path.suffix == ".partial"]
    assert unfinished
    for path in unfinished:
        refused = script("restore.sh", path, store=elsewhere, cwd=tmp_path)
        refused.communicate(timeout=PATIENCE)
        assert refused.returncode == 2

    for _ in range(5):
        kill(script("restore.sh", whole[0], store=elsewhere, cwd=tmp_path), rng.uniform(0.3, 1.1) * took)
    if not resolve_store(elsewhere, tmp_path).folder.joinpath("restore.begun").exists():
        pytest.skip("no restore was killed in the middle")
    done(script("restore.sh", whole[0], store=elsewhere, cwd=tmp_path))
    assert ended(elsewhere, tmp_path) == ended(running, tmp_path)
    automl("audit", "saved", "--repair", store=elsewhere)
    again = script("restore.sh", whole[0], store=elsewhere, cwd=tmp_path)
    assert "nothing was changed" in again.communicate(timeout=PATIENCE)[1]
    assert again.returncode == 2


def kill(process: subprocess.Popen[str], seconds: float) -> None:
    """SIGKILL a script and its children after a time."""
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_backups_are_kept_outside_of_the_store(store: Store, tmp_path: Path) -> None:
    environ = {"AUTOML_STORE": str(store.folder)}
    refused = script("backup.sh", store.folder / "backups", store=environ, cwd=tmp_path)
    assert "backups must be kept outside of what they save" in refused.communicate(timeout=PATIENCE)[1]
    assert refused.returncode == 2


def test_files_that_go_away_meanwhile_do_not_end_a_backup(store: Store, tmp_path: Path) -> None:
    """As those of running trials do: tar says so with exit code 1."""
    (tmp_path / "bin").mkdir()
    tar = tmp_path / "bin/tar"
    tar.write_text(
        f'#!/bin/sh\n{shutil.which("tar")} "$@"\necho "tar: ./work/x: file changed" >&2\nexit ${{TAR}}\n'
    )
    tar.chmod(0o755)
    environ = {"AUTOML_STORE": str(store.folder), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    saved = done(script("backup.sh", tmp_path / "backups", store={**environ, "TAR": "1"}, cwd=tmp_path))
    assert (Path(saved) / "work.tar.gz").exists()
    time.sleep(1)  # names have seconds
    failed = script("backup.sh", tmp_path / "backups", store={**environ, "TAR": "2"}, cwd=tmp_path)
    failed.communicate(timeout=PATIENCE)
    assert failed.returncode != 0
    assert sorted(path.suffix for path in (tmp_path / "backups").iterdir()) == ["", ".partial"]
