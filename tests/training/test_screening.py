"""Trials that are nothing but a screening."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_context import TINY_CONFIG, FakeContext, TinySpace, image_task
from patience import PATIENCE

from automl.contracts import Job, Outcome, PluginSpec, RunError, TrialState
from automl.executors.worker import run_job
from automl.searchspaces.nasbench201 import PLUGIN as CELL
from automl.training import screening
from automl.training.recipe import NetworkOptions

torch.set_num_threads(1)
OPTIONS = NetworkOptions(epochs=2, batch_size=32, channels=4)
WILD = """from automl.contracts import Proxy
PLUGIN = Proxy(lambda network, batch: float("inf"))
"""


def context(path: Path, **fields: Any) -> FakeContext:
    return FakeContext(path, **{"given_task": image_task(), "space": TinySpace(), **fields})


def test_neither_generator_nor_threads_feel_a_score(tmp_path: Path) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    screening.screen(OPTIONS, TINY_CONFIG, context(tmp_path), "grasp")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_score_that_is_not_finite_fails_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "proxies"
    folder.mkdir()
    (folder / "wild.py").write_text('"""A score that overflows."""\n' + WILD)
    monkeypatch.setenv("AUTOML_PLUGINS", os.fspath(tmp_path))
    with pytest.raises(RunError, match="must be finite, but wild is inf"):
        screening.screen(OPTIONS, TINY_CONFIG, context(tmp_path), "wild")


class Silent:
    def report(self, report: object) -> None:
        raise AssertionError("a screening reports nothing")


def job(workdir: Path, protocol: PluginSpec, proxy: str) -> Job:
    scoring = PluginSpec("proxy_score", {"proxy": proxy})
    return Job(
        trial="s/0", token="t", attempt=1, space={"name": "nasbench201"},
        task={"dataset": "digits", "metrics": [{"name": "accuracy"}]},
        metrics=[{"name": "accuracy", "direction": "maximize"}], evaluator=scoring, protocol=protocol,
        config=CELL.default_config(), seed=1, workdir=str(workdir), devices=1.0, cpus=1.0, gpus=0.0,
        remaining=None, deadline=PATIENCE,
    )  # fmt: skip


def test_a_worker_only_scores_what_is_to_be_screened(tmp_path: Path) -> None:
    given = job(tmp_path, PluginSpec("network", {"channels": 4}), "snip")
    assert Job.from_json(given.to_json()) == given
    outcome = run_job(given, Silent())
    assert (outcome.state, outcome.reason, outcome.values) == (TrialState.PRUNED, "screened by snip", None)
    assert set(outcome.metrics) == {"proxy_snip"} and outcome.metrics["proxy_snip"] > 0
    assert outcome.device_seconds > 0
    assert Outcome.from_json(outcome.to_json()) == outcome
    again = run_job(replace(given, evaluator=PluginSpec("proxy_score", {"proxy": "synflow"})), Silent())
    assert set(again.metrics) == {"proxy_synflow"}


def test_an_evaluator_without_networks_cannot_screen(tmp_path: Path) -> None:
    outcome = run_job(job(tmp_path, PluginSpec("pipeline"), "snip"), Silent())
    assert outcome.state is TrialState.FAILED
    assert (
        "a screening by a proxy needs an evaluator that trains networks, but got one of type Pipeline"
        in outcome.reason
    )
