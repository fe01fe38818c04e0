"""Common random numbers: what arms of one seed have in common."""

from __future__ import annotations

from pathlib import Path

import pytest
import toy_benchmark

from automl.campaign import run_campaign
from automl.config import load_study
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress


@pytest.mark.slow
def test_trials_and_retrainings_have_the_same_seeds_in_every_arm(workspace: Path, store: Store) -> None:
    toy_benchmark.write(workspace / "toy.npz")
    path = workspace / "toytable.yaml"
    path.write_text(f"{toy_benchmark.STUDY}final: {{seeds: 3}}\nrecord: trials\n")
    name = run_campaign(load_study(path), store=store, progress=QuietProgress())
    with Ledger(store) as ledger:
        found: dict[tuple[int, str, int], dict[str, int]] = {}
        for search in ledger.searches(name):
            for trial in ledger.trials(search=search.id):
                found.setdefault((search.seed, trial.kind, trial.number), {})[search.arm] = trial.seed
    both = [by_arm for by_arm in found.values() if len(by_arm) == 2]
    assert any(kind == "final" for _, kind, _ in found) and len(both) > 10
    assert all(by_arm["random"] == by_arm["tpe"] for by_arm in both)
    assert len({by_arm["random"] for by_arm in both}) == len(both)  # and others for every trial
