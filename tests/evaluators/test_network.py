"""Training one network: learning, determinism, exact resume, divergence, saved models."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_context import ACCURACY, TINY_CONFIG, FakeContext, TinySpace, image_task, tiny_network

from automl.contracts import Direction, Metric, RunError, Task, TrialStopped, UserError
from automl.evaluators.network import Network
from automl.space import Choice, Space
from automl.training import images
from automl.training.procedure import seconds_per_epoch, train_network
from automl.training.recipe import NetworkOptions

OPTIONS = NetworkOptions(epochs=3, batch_size=32, channels=4)


def context(path: Path, **fields: Any) -> FakeContext:
    return FakeContext(path, **{"given_task": image_task(), "space": TinySpace(), "final": True, **fields})


def weights(path: Path) -> dict[str, torch.Tensor]:
    return torch.load(path / "model" / "weights.pt", weights_only=True)


def same(a: Path, b: Path) -> bool:
    one, other = weights(a), weights(b)
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_learns_and_reports_every_epoch(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    options = OPTIONS.model_copy(update={"epochs": 8, "learning_rate": 0.2})
    result = Network(options).evaluate(TINY_CONFIG, ctx)
    assert [step for step, _, _ in ctx.reports] == list(range(1, 9))
    assert result.values == {"accuracy": ctx.reports[-1][1]}
    assert result.values["accuracy"] > 0.9
    assert ctx.reports[-1][2]["train_loss"] == result.metrics["train_loss"] < ctx.reports[0][2]["train_loss"]
    assert result.metrics["parameters"] == 4 * 9 + 2 * 4 + 3 * 16 + 3


def test_same_seed_equal_other_seed_different(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path / name, seed=seed))
    assert same(tmp_path / "a", tmp_path / "b")
    assert not same(tmp_path / "a", tmp_path / "c")


def test_global_random_state_is_left_as_it_was(tmp_path: Path) -> None:
    before = torch.get_rng_state()
    Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("reports", [2, 3])
def test_interrupted_training_ends_bit_for_bit_as_an_uninterrupted_one(tmp_path: Path, reports: int) -> None:
    whole = Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path / "whole"))
    with pytest.raises(TrialStopped):
        Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path / "cut", stop_at=reports))
    torch.rand(7)
    second = context(tmp_path / "cut")
    resumed = Network(OPTIONS).evaluate(TINY_CONFIG, second)
    assert [step for step, _, _ in second.reports] == list(range(reports, 4))
    assert resumed == whole
    assert same(tmp_path / "whole", tmp_path / "cut")


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    first = Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path))
    again = context(tmp_path)
    assert Network(OPTIONS).evaluate(TINY_CONFIG, again) == first
    assert again.reports == []


def test_steps_are_offset_after_a_search_and_carry_is_kept(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    ctx.checkpoint.save(10, {"search": "state"})
    train_network(TINY_CONFIG, ctx, OPTIONS, first_step=10, carry={"derived": TINY_CONFIG})
    assert [step for step, _, _ in ctx.reports] == [11, 12, 13]
    step, state = ctx.checkpoint.load()
    assert (step, state["carry"]) == (13, {"derived": TINY_CONFIG})


def test_divergence_is_an_error_with_the_epoch(tmp_path: Path) -> None:
    task = image_task()
    task.train.x[5] = np.nan
    with pytest.raises(
        RunError, match="loss must stay finite, but it is nan in epoch 1; lower learning_rate"
    ):
        Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path, given_task=task))


def test_saved_model_scores_as_it_was_trained(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    result = Network(OPTIONS).evaluate(TINY_CONFIG, ctx)
    metrics = [ACCURACY, Metric("parameters", Direction.MINIMIZE)]
    scored = Network(OPTIONS).score(tmp_path / "model", ctx.task, ctx.task.validation, metrics)
    assert scored == {"accuracy": result.values["accuracy"], "parameters": result.metrics["parameters"]}
    described = json.loads((tmp_path / "model" / "config.json").read_text())
    assert described["config"] == TINY_CONFIG
    assert described["builder"] == "fake_context:tiny_network"


def test_damaged_model_is_refused(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    Network(OPTIONS).evaluate(TINY_CONFIG, ctx)
    path = tmp_path / "model" / "weights.pt"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="model folder"):
        Network(OPTIONS).score(tmp_path / "model", ctx.task, ctx.task.validation, [ACCURACY])


def test_objectives_may_be_resources(tmp_path: Path) -> None:
    metrics = [ACCURACY, *(Metric(name, Direction.MINIMIZE) for name in ("parameters", "flops", "latency"))]
    result = Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path, metrics=metrics, final=False))
    assert not (tmp_path / "model").exists()
    assert result.values["parameters"] == 95
    # 2 × multiply-adds of the convolution (8·8·4·9) and of the linear head (16·3)
    assert result.values["flops"] == 2 * (8 * 8 * 4 * 9 + 16 * 3)
    assert 0 < result.values["latency"] < 1


def test_a_parameter_named_like_an_option_sets_it(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    Network(OPTIONS).evaluate({**TINY_CONFIG, "epochs": 1}, ctx)
    assert len(ctx.reports) == 1
    with pytest.raises(UserError, match="learning_rate=-1"):
        Network(OPTIONS).evaluate({**TINY_CONFIG, "learning_rate": -1}, ctx)


def test_wrong_spaces_and_tasks_are_refused(tmp_path: Path) -> None:
    silent = Space({"kernel": Choice([3])})
    nameless = Space({"kernel": Choice([3])}, network=lambda *_, **__: None)
    table = Task("t", "table", (4,), 0, image_task().train, image_task().validation, "")
    with pytest.raises(UserError, match="no `network` builder"):
        Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path, space=silent))
    with pytest.raises(UserError, match="defined at the top of its module"):
        Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path, space=nameless))
    with pytest.raises(UserError, match="'t' is of kind table"):
        Network(OPTIONS).evaluate(TINY_CONFIG, context(tmp_path, given_task=table))


def test_estimate_is_positive_and_leaves_no_trace(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    assert 0 < seconds_per_epoch(TINY_CONFIG, ctx, OPTIONS) < 5
    assert ctx.reports == []
    assert list(tmp_path.iterdir()) == []


def test_a_last_batch_of_one_is_left_out() -> None:
    assert [len(part) for part in images.batches(65, 32, "cpu")] == [32, 32]
    assert [len(part) for part in images.batches(1, 32, "cpu")] == [1]
    torch.manual_seed(0)
    assert sorted(torch.cat(images.batches(70, 32, "cpu")).tolist()) == list(range(70))


def test_predictions_are_probabilities() -> None:
    model = tiny_network(TINY_CONFIG, (1, 8, 8), 3, channels=4, cells=1)
    p = images.predict(model, torch.tensor(image_task().train.x))
    assert p.shape == (120, 3)
    assert math.isclose(p.sum(axis=1).max(), 1) and p.dtype == np.float64
