"""SIGKILL or Ctrl-C while a driver replays: finished searches stay, the others start over."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_benchmark
from patience import PATIENCE

from automl.contracts import TrialState
from automl.ledger import Ledger, Store, TrialRow
from automl.recorder.audit import audit

SEEDS = 20


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "automl.cli", *words]


def _trials(store: Store) -> dict[str, TrialRow]:
    with Ledger(store) as ledger:
        campaign = ledger.latest("toytable")
        return {row.id: row for row in ledger.trials(campaign=campaign.id)} if campaign else {}


def _wrong(store: Store) -> list[str]:
    with Ledger(store) as ledger:
        campaign = ledger.latest("toytable")
        assert campaign is not None
        return list(audit(store, ledger, campaign.id).faults)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGHUP])
def test_driver_ended_in_the_midst_of_replays(number: signal.Signals, store: Store, tmp_path: Path) -> None:
    toy_benchmark.write(tmp_path / "toy.npz")
    study = tmp_path / "toytable.yaml"
    study.write_text(toy_benchmark.STUDY)
    env = {**os.environ, "AUTOML_STORE": str(store.folder)}
    run = _command("run", str(study), f"--set=seeds={SEEDS}", "--set=budget.device_seconds=1000")
    process = subprocess.Popen(run, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not _trials(store):
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.wait()
    if number is not signal.SIGKILL:
        assert process.returncode == 130
        assert not _wrong(store), "what has ended is in MLflow when it returns"
    kept = _trials(store)
    unfinished = 2 * SEEDS - len({row.search for row in kept.values()})
    assert 0 < unfinished < 2 * SEEDS
    assert {row.state for row in kept.values()} <= {TrialState.COMPLETE, TrialState.PRUNED}

    done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    found = _trials(store)
    assert all(found[name] == row for name, row in kept.items()), "no finished search was run again"
    assert len({row.search for row in found.values()}) == 2 * SEEDS
    with Ledger(store) as ledger:
        campaign = ledger.latest("toytable")
        assert campaign is not None and campaign.state == "finished"
        assert audit(store, ledger, campaign.id).trials == len(found)
        assert sorted(opening.search for opening in ledger.openings(campaign.id)) == sorted(
            row.id for row in ledger.searches(campaign.id)
        )
    assert not _wrong(store)
