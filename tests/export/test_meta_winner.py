"""A few-shot campaign, from `automl run` to a folder that adapts without this package."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from in_process import automl
from patience import PATIENCE
from test_learner_folder import ALONE

STUDY = """
name: few
task: {dataset: glyphs, metric: accuracy, episodes: {ways: 3, queries: 5, count: 20}}
space: protonet
evaluator: {metalearn: {width: 8, meta_batch: 2, iterations: 6, report_every: 3, validation_episodes: 20}}
budget: {trials: 1}
seeds: 1
arms: {maml: {space: maml, strategy: tpe}}
executor: local
final: {seeds: 1}
"""
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command in an empty folder with a store of its own; gives what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTOML_STORE", str(tmp_path / "store"))

    def call(*words: str) -> str:
        code = automl(monkeypatch, *words)
        shown = capsys.readouterr()
        assert code == 0, shown.err
        return shown.out + shown.err

    return call


@pytest.mark.slow
def test_a_winner_is_trained_on_and_leaves(run: Run, tmp_path: Path) -> None:
    (tmp_path / "few.yaml").write_text(STUDY)
    run("run", "few.yaml")
    found: dict[str, Any] = json.loads(run("report", "few", "--json"))
    assert set(found["summary"]) >= {"random", "maml", "embedding", "nearest-centroid"}
    assert not json.loads(run("audit", "few", "--json"))["missing"]

    run("export", "few", "--arm", "maml", "-o", "best.yaml")
    trained = run("train", "best.yaml")
    assert ", as exported" in trained
    steps = [line for line in trained.splitlines() if line.startswith("step")]
    assert [line.split()[1].strip(":") for line in steps] == ["3", "6"]
    longer = run("train", "best.yaml", "--iterations", "9").splitlines()
    steps = [line for line in longer if line.startswith("step")]
    assert [line.split()[1].strip(":") for line in steps] == ["9"], "what was trained is not trained again"

    run("export", "few", "--arm", "maml", "--format", "torch", "-o", "folder")
    torch.save((torch.rand(3, 1, 28, 28), torch.arange(3), torch.rand(7, 1, 28, 28)), tmp_path / "given.pt")
    files = [str(tmp_path / name) for name in ("folder", "given.pt", "outputs.pt")]
    subprocess.run([sys.executable, "-I", "-c", ALONE, *files], check=True, cwd=tmp_path, timeout=PATIENCE)
    outputs = torch.load(files[2], weights_only=True)
    assert outputs.shape == (7, 3) and outputs.isfinite().all()
