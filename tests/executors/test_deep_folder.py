"""A folder for temporary files that is too deep for Ray's sockets."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from automl.campaign import run_campaign
from automl.config import load_study
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress

CODE = """
from automl.space import Float, Space
SPACE = Space({"x": Float(-1.0, 1.0)})

def objective(config, context):
    return config["x"] ** 2
"""
STUDY = """
name: deep
task: {metric: loss, direction: minimize}
space: "deep_code:SPACE"
evaluator: {function: {call: "deep_code:objective"}}
budget: {trials: 2}
seeds: 1
arms: {random: {strategy: random}}
executor: ray
final: {seeds: 0}
"""


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_ray_runs_elsewhere_and_this_is_told(
    variable: str,
    workspace: Path,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (workspace / "deep_code.py").write_text(CODE)
    (workspace / "deep.yaml").write_text(STUDY)
    deep = workspace / ("a" * 60)
    deep.mkdir()
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv(variable, str(deep))
    with caplog.at_level(logging.WARNING):
        campaign = run_campaign(load_study("deep.yaml"), store=store, progress=QuietProgress())
    with Ledger(store) as ledger:
        assert len(ledger.trials(campaign=campaign)) == 2
    assert f"at most 38 bytes, since Ray makes sockets in it, but {deep} has" in caplog.text


@pytest.mark.ray
@pytest.mark.parametrize("length", [1, 20, 38])
def test_a_folder_that_is_not_too_deep_is_used(
    length: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from automl.executors.tune import cluster  # imports Ray

    monkeypatch.setenv("RAY_TMPDIR", "/".ljust(length, "a"))
    assert cluster._folder() is None
    assert not caplog.text
