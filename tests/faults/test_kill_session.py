"""SIGKILL of a program with a session, then the same program again: nothing is lost or recorded twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from patience import PATIENCE

from automl.contracts import TrialState
from automl.ledger import Ledger, Store
from automl.recorder.audit import audit

TRIALS = 6
PROGRAM = """
import sys, time
import automl

class Log:
    def __init__(self, path, most):
        self.file, self.left = open(path, "a", buffering=1), most

    def write(self, line):
        self.file.write(line + chr(10))
        self.left -= 1
        if self.left == 0:
            time.sleep(3600)  # to be killed here

def main(log):
    space = {"x": automl.Float(-1, 1), "units": automl.Int(1, 8)}
    search = {"space": space, "metrics": {"loss": "minimize"}, "trials": 6, "progress": "quiet"}
    with automl.session("killed", **search) as session:
        while (trial := session.ask()) is not None:
            done = trial.folder / "checkpoints" / "steps"
            start = int(done.read_text()) if done.exists() else 0
            log.write(f"asked {trial.name} {trial.attempt} {trial.config['x']!r} {start}")
            for step in range(start + 1, 4):
                time.sleep(0.02)
                trial.report(step, 1 / step)
                done.write_text(str(step))
                log.write(f"step {trial.name}")
            trial.tell(trial.config["x"] ** 2)
            log.write(f"told {trial.name} {trial.attempt}")
        assert session.finished

if __name__ == "__main__":
    main(Log("log.txt", int(sys.argv[1])))
"""


def _start(folder: Path, store: Store, most: int = 0) -> subprocess.Popen[bytes]:
    named = str(store.folder)
    if store.url.startswith("postgresql"):
        url = sa.make_url(store.url).set(drivername="postgresql", query={})
        named = url.render_as_string(hide_password=False)
    environment = {**os.environ, "AUTOML_STORE": named, "AUTOML_FOLDER": str(store.folder)}
    command = [sys.executable, "loop.py", str(most)]
    return subprocess.Popen(command, cwd=folder, env=environment, start_new_session=True)


def _lines(folder: Path) -> list[list[str]]:
    log = folder / "log.txt"
    return [line.split() for line in log.read_text().splitlines()] if log.exists() else []


def _wait_for(folder: Path, process: subprocess.Popen[bytes], lines: int) -> None:
    end = time.monotonic() + PATIENCE
    while len(_lines(folder)) < lines:
        assert process.poll() is None, "the program has ended before it was killed"
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_session_is_continued_by_the_same_program(any_store: Store, tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text(PROGRAM)
    for lines in (5, 2, 2):  # a trial was just told; one step of a trial is done; one more of the same
        before = len(_lines(tmp_path))
        process = _start(tmp_path, any_store, lines)
        _wait_for(tmp_path, process, before + lines)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert _start(tmp_path, any_store).wait(timeout=PATIENCE) == 0

    log = _lines(tmp_path)
    asked = {(line[1], line[2]): line for line in log if line[0] == "asked"}
    told = Counter(line[1] for line in log if line[0] == "told")
    with Ledger(any_store) as ledger:
        assert [row.id for row in ledger.campaigns()] == ["killed-1"]
        trials = ledger.trials(campaign="killed-1")
        assert [trial.number for trial in trials] == list(range(TRIALS))
        assert all(trial.state is TrialState.COMPLETE for trial in trials)
        assert sorted(trial.told or 0 for trial in trials) == list(range(TRIALS))
        assert set(told.values()) == {1}, "a trial that was told is never offered again"
        for trial in trials:
            attempts = [line for (name, _), line in asked.items() if name == trial.id]
            assert len(attempts) == trial.attempt, "each offer of a trial is an attempt of it"
            assert {line[3] for line in attempts} == {repr(trial.config["x"])}
            assert trial.values == [float(trial.config["x"] or 0) ** 2]
        again = [(line[1], line[2], line[4]) for line in asked.values() if int(line[2]) > 1]
        assert again == [("killed-1/tpe/0/1", "2", "1"), ("killed-1/tpe/0/1", "3", "2")]
        assert audit(any_store, ledger, "killed-1").faults == {}
