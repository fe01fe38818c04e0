"""SIGKILL of the driver while it screens networks and after: the search goes on as it would have."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from automl.contracts import TrialState
from automl.ledger import Ledger, Store, TrialRow
from automl.strategies.history import SCORE

DRAW, KEEP, TRIALS = 12, 3, 17
STUDY = f"""
name: screened
task: {{dataset: digits, metric: accuracy}}
space: nasbench201
evaluator: {{network: {{epochs: 1, channels: 2, batch_size: 128}}}}
budget: {{trials: {TRIALS}}}
seeds: 1
arms:
  screen:
    strategy:
      proxy_screen:
        proxy: synflow
        draw: {DRAW}
        keep: {KEEP}
        then: {{regularized_evolution: {{population: 4, sample: 2}}}}
executor: local
final: {{seeds: 0}}
"""


def _trials(store: Store, campaign: str) -> list[TrialRow]:
    """Those of the arm that screens, in order."""
    with Ledger(store) as ledger:
        found = ledger.trials(search=f"{campaign}/screen/0")
    return sorted(found, key=lambda trial: trial.number)


def _outcome(trial: TrialRow) -> tuple[Any, ...]:
    return trial.number, trial.config, trial.state, trial.values, (trial.attributes or {}).get(SCORE)


@pytest.mark.faults
def test_a_killed_screening_equals_one_left_alone(store: Store, tmp_path: Path) -> None:
    """Grown and killed while it screens, killed while it evaluates; then another one, undisturbed."""
    study = tmp_path / "screened.yaml"
    study.write_text(STUDY)
    env = {**os.environ, "AUTOML_STORE": str(store.folder)}
    command = [sys.executable, "-m", "automl.cli", "run", str(study)]
    first = [*command, "--set", f"budget.trials={DRAW // 2}"]
    assert subprocess.run(first, env=env, capture_output=True, check=False).returncode == 0
    assert len(_trials(store, "screened-1")) == DRAW // 2
    for begun in (DRAW - 2, DRAW + 2):
        process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and len(_trials(store, "screened-1")) < begun:
            time.sleep(0.005)
        assert process.poll() is None, "the study ended before it was killed: make it longer"
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert begun <= len(_trials(store, "screened-1")) < TRIALS
    for more in ([], ["--fresh", "--same-seeds"]):
        done = subprocess.run([*command, *more], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    killed, alone = (list(map(_outcome, _trials(store, f"screened-{number}"))) for number in (1, 2))
    assert killed == alone
    assert [told[2] for told in alone] == [TrialState.PRUNED] * DRAW + [TrialState.COMPLETE] * (TRIALS - DRAW)
    assert [told[4] is not None for told in alone] == [number < DRAW for number in range(TRIALS)]
