"""The quickstart study, cut short and killed once in the middle: four arms on Ray, to the sealed test."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

BUDGET = 14  # device-seconds
KILLED = 6  # a trial that held a worker when its driver was killed pays for that, then runs again
SHORT = [f"--set=budget.device_seconds={BUDGET}", "--set=evaluator.network.epochs=2", "--set=final.seeds=1"]

pytestmark = [pytest.mark.slow, pytest.mark.ray, pytest.mark.timeout(3600)]


def automl(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "automl.cli", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def _darts_has_a_checkpoint(folder: Path) -> bool:
    return any(folder.glob(".automl/work/*/darts-*/0/checkpoints/*.json"))


def _kill_while_darts_searches(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "automl.cli", "run", "quickstart", *SHORT],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    end = time.monotonic() + PATIENCE
    while not _darts_has_a_checkpoint(folder) and time.monotonic() < end and process.poll() is None:
        time.sleep(0.1)
    assert process.poll() is None, "it ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("quickstart")
    _kill_while_darts_searches(folder)
    done = automl(folder, "run", "quickstart", *SHORT)
    assert done.returncode == 0, done.stderr
    yield folder


def _json(folder: Path, *words: str) -> dict[str, Any]:
    done = automl(folder, *words, "--json")
    assert done.returncode == 0, done.stderr + done.stdout
    return dict(json.loads(done.stdout))


def test_the_report_compares_all_arms_at_equal_cost(finished: Path) -> None:
    report = _json(finished, "report", "quickstart")
    assert (report["campaign"], report["status"]) == ("quickstart-1", "finished")
    assert set(report["arms"]) == {"random", "tpe", "darts", "resnet"}
    for arm, searches in report["arms"].items():
        assert [search["seed"] for search in searches] == [0, 1]
        for search in searches:
            spent = search["device_seconds"]
            assert spent > 0
            if spent > 1.15 * BUDGET + KILLED:  # one step of a busy machine may outlast what is left
                assert any(
                    line.startswith(arm) and f"used {spent:.0f} of" in line for line in report["warnings"]
                )
            assert search["best"]["value"] > 0.5, arm
            assert len(search["fresh"]) == len(search["test"]) == 1
    assert {v["arm"] for v in report["verdicts"]} == {"tpe", "darts", "resnet"}
    assert all(v["against"] == "random" for v in report["verdicts"])
    assert report["test_openings"] == 8


def test_the_interrupted_darts_trial_went_on_from_its_checkpoint(finished: Path) -> None:
    with sqlite3.connect(finished / ".automl" / "ledger.db") as ledger:
        rows = ledger.execute(
            "SELECT id, attempt, derived FROM trials WHERE id LIKE '%/darts/%' AND kind = 'trial'"
        )
        found = {name: (attempt, derived) for name, attempt, derived in rows}
    assert sorted(found) == ["quickstart-1/darts/0/0", "quickstart-1/darts/1/0"]
    assert max(attempt for attempt, _ in found.values()) == 2
    assert all(json.loads(derived)["edge_0_1"] != "none" for _, derived in found.values())


def test_mlflow_has_every_trial_once(finished: Path) -> None:
    audit = _json(finished, "audit", "quickstart")
    assert audit["trials"] == audit["runs"] > 8
    assert [audit[key] for key in ("missing", "duplicate", "stuck", "different")] == [[], [], [], []]


def test_winners_have_their_cell_and_checkpoint_in_mlflow(finished: Path) -> None:
    artifacts = finished / ".automl" / "artifacts"
    assert len(list(artifacts.glob("**/cell.svg"))) == 6, "two seeds of three arms; a ResNet is no cell"
    assert len(list(artifacts.glob("**/checkpoint/*.pt"))) >= 8
    assert len(list(artifacts.glob("**/model/weights.pt"))) == 8
    assert len(list(artifacts.glob("**/genotype.json"))) == 2
    assert len(list(artifacts.glob("**/report.html"))) == 1


def test_the_winner_leaves_with_a_certificate_and_trains(finished: Path) -> None:
    assert automl(finished, "export", "quickstart", "-o", "best.yaml").returncode == 0
    trained = _json(finished, "train", "best.yaml", "--epochs", "2")
    assert trained["values"]["accuracy"] > 0.5
