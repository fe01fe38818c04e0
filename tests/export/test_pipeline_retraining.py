"""A pipeline that is trained again with the campaign's seeds has the exported values."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.campaign import run_campaign
from automl.config import load_study
from automl.export import export_config
from automl.export.retraining import Training, train_seeds
from automl.ledger import Store
from automl.progress import QuietProgress
from automl.storage import open_ledger

STUDY = """
name: pipe
task: {dataset: iris, metric: log_loss}
space: {name: tabular, fix: {model: extra_trees}}
evaluator: {pipeline: {folds: 2}}
budget: {trials: 1}
seeds: 1
arms: {tpe: {strategy: tpe}}
final: {seeds: 2}
"""


@pytest.mark.slow
def test_the_recorded_seeds_give_the_exported_values(store: Store, tmp_path: Path) -> None:
    (tmp_path / "pipe.yaml").write_text(STUDY)
    campaign = run_campaign(load_study(tmp_path / "pipe.yaml"), store=store, progress=QuietProgress())
    with open_ledger(store) as ledger:
        winner = export_config(ledger, campaign, tmp_path / "best.yaml", store=store)
    fresh = winner.certificate.values.fresh
    assert len(set(fresh)) == 2, "each seed has a value of its own"
    done = train_seeds(tmp_path / "best.yaml", store, 2, Training(device="cpu"))
    assert [one.values["log_loss"] for one in done] == fresh == [one.exported for one in done]
