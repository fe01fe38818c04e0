"""The recipe of a training: each option does what its formula says, and all of them resume bit for bit."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from capable_network import CapableNetwork, CapableSpace
from fake_context import ACCURACY, TINY_CONFIG, FakeContext, TinySpace, image_task
from pydantic import ValidationError
from torch import nn
from torch.nn.functional import cross_entropy

from automl.contracts import Direction, Metric, TrialStopped, UserError
from automl.evaluators.network import Network
from automl.training.averaging import Average
from automl.training.fit import Fit
from automl.training.procedure import seconds_per_epoch
from automl.training.recipe import NetworkOptions, Schedule, uses_bf16

torch.set_num_threads(1)
OPTIONS = NetworkOptions(epochs=4, batch_size=32, channels=4)
FULL = NetworkOptions(
    epochs=5, batch_size=32, channels=4, rungs=[1, 3], warm_up=0.5, augment="crop_flip", padding=1, cutout=3,
    label_smoothing=0.1, clip=1.0, drop_path=0.3, auxiliary=0.4, ema=0.9, checkpoint_every=2,
)  # fmt: skip


def context(path: Path, **fields: Any) -> FakeContext:
    given = {"given_task": image_task(), "space": CapableSpace(), "final": True}
    return FakeContext(path, **{**given, **fields})


def fit(path: Path, **options: Any) -> Fit:
    torch.manual_seed(0)
    return Fit.start(TINY_CONFIG, context(path), OPTIONS.model_copy(update=options))


def with_options(**options: Any) -> NetworkOptions:
    return NetworkOptions.model_validate({**OPTIONS.model_dump(), **options})


# --- schedule ---


def test_one_cosine() -> None:
    schedule = Schedule.of(with_options(learning_rate=0.2), 10)
    assert [schedule.rate(t) for t in range(40)] == [
        0.1 * (1 + math.cos(math.pi * t / 40)) for t in range(40)
    ]


def test_every_rung_ends_its_own_cosine() -> None:
    schedule = Schedule.of(with_options(epochs=27, rungs=[1, 3, 9, 27, 81], learning_rate=0.2), 50)
    rates = [schedule.rate(t) for t in range(27 * 50)]
    for first, last in ((0, 1), (1, 3), (3, 9), (9, 27)):
        part = rates[50 * first : 50 * last]
        assert part[0] == 0.2
        assert part[-1] < 0.2 * 0.001
        assert part == sorted(part, reverse=True)
        assert sum(part) / len(part) == pytest.approx(0.1, rel=0.03)


def test_warm_up_rises_linearly_then_anneals() -> None:
    schedule = Schedule.of(with_options(warm_up=1.5, learning_rate=0.2), 10)
    rates = [schedule.rate(t) for t in range(40)]
    assert rates[:15] == pytest.approx([0.2 * (t + 1) / 15 for t in range(15)])
    assert rates[15:] == pytest.approx([0.1 * (1 + math.cos(math.pi * t / 25)) for t in range(25)])


def test_warm_up_leaves_half_of_the_first_rung() -> None:
    schedule = Schedule.of(with_options(warm_up=5, rungs=[1], learning_rate=0.2), 10)
    assert (schedule.warm, schedule.ends) == (5, [10, 40])
    assert schedule.rate(4) == schedule.rate(5) == schedule.rate(10) == 0.2
    assert schedule.rate(9) < 0.03


def test_the_optimiser_follows_the_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    step = torch.optim.SGD.step

    def spy(self: Any, *given: Any) -> Any:
        seen.append({group["lr"] for group in self.param_groups})
        return step(self, *given)

    monkeypatch.setattr(torch.optim.SGD, "step", spy)
    options = with_options(rungs=[1, 2], warm_up=0.5)
    Network(options).evaluate(TINY_CONFIG, context(tmp_path))
    schedule = Schedule.of(options, 4)
    assert seen == [{schedule.rate(t)} for t in range(16)]


def test_the_value_at_a_rung_is_that_of_a_finished_short_training(tmp_path: Path) -> None:
    long, short = context(tmp_path / "long"), context(tmp_path / "short")
    Network(with_options(rungs=[1, 2])).evaluate(TINY_CONFIG, long)
    result = Network(with_options(epochs=2, rungs=[1])).evaluate(TINY_CONFIG, short)
    assert long.reports[:2] == short.reports
    assert result.values["accuracy"] == long.reports[1][1]


def test_the_auxiliary_head_is_away_while_the_network_is_validated(tmp_path: Path) -> None:
    run = fit(tmp_path, auxiliary=0.4)
    assert isinstance(run.model, CapableNetwork)
    run.train_epoch(1)
    with run.trained(1) as model:
        assert model is run.model and model.auxiliary is None
        mean = model.stem[0](run.data.x).mean((0, 2, 3))
        torch.testing.assert_close(model.stem[1].running_mean, mean, atol=1e-5, rtol=0)
    assert run.model.auxiliary is not None


def test_rungs_of_no_use_are_refused() -> None:
    for rungs in ([3, 1], [0, 1], [2, 2]):
        with pytest.raises(ValidationError, match="rising positive epochs"):
            with_options(rungs=rungs)
    with pytest.raises(ValidationError, match="cosine must have no rungs"):
        with_options(rungs=[1], schedule="cosine")


# --- resume ---


@pytest.mark.parametrize("reports", [2, 3, 4])
def test_the_full_recipe_resumes_bit_for_bit(tmp_path: Path, reports: int) -> None:
    whole = context(tmp_path / "whole")
    result = Network(FULL).evaluate(TINY_CONFIG, whole)
    with pytest.raises(TrialStopped):
        Network(FULL).evaluate(TINY_CONFIG, context(tmp_path / "cut", stop_at=reports))
    torch.rand(7)
    second = context(tmp_path / "cut")
    assert Network(FULL).evaluate(TINY_CONFIG, second) == result
    kept = reports - 1 - (reports - 1) % 2  # the last checkpoint before the report that ended it
    assert second.reports == whole.reports[kept:]
    one, other = (
        torch.load(tmp_path / name / "model" / "weights.pt", weights_only=True) for name in ("whole", "cut")
    )
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_checkpoints_come_as_often_as_asked(tmp_path: Path) -> None:
    ctx = context(tmp_path)
    steps = []
    save = ctx.checkpoint.save
    ctx.checkpoint.save = lambda step, state: (steps.append(step), save(step, state))[1]
    Network(with_options(checkpoint_every=3)).evaluate(TINY_CONFIG, ctx)
    assert steps == [3, 4]


# --- loss and gradients ---


def test_label_smoothing_is_the_mixture_with_uniform_labels(tmp_path: Path) -> None:
    run, part = fit(tmp_path, label_smoothing=0.2), torch.arange(9)
    logits = run.model(run.data.x[part]).log_softmax(1)
    labels = 0.8 * torch.eye(3)[run.data.y[part]] + 0.2 / 3
    expected = -(labels * logits).sum(1).mean()
    torch.testing.assert_close(run._loss(part), expected)
    torch.testing.assert_close(fit(tmp_path)._loss(part), cross_entropy(logits, run.data.y[part]))


def test_the_auxiliary_loss_is_added_with_its_weight(tmp_path: Path) -> None:
    run, part = fit(tmp_path, auxiliary=0.4, label_smoothing=0.1), torch.arange(12)
    model, y = run.model, run.data.y[part]
    assert isinstance(model, CapableNetwork)
    logits, other = model.forward_with_auxiliary(run.data.x[part])
    main, auxiliary = (cross_entropy(given, y, label_smoothing=0.1) for given in (logits, other))
    torch.testing.assert_close(run._loss(part), main + 0.4 * auxiliary)
    assert model.auxiliary is not None
    before = model.auxiliary.weight.clone()
    run.train_epoch(1)
    assert not torch.equal(before, model.auxiliary.weight)


def test_clip_bounds_the_gradient_of_every_step(tmp_path: Path) -> None:
    def norm(run: Fit) -> float:
        run.train_batches([torch.arange(32)], lambda _: 0.1)
        return float(torch.stack([p.grad.norm() for p in run.model.parameters()]).norm())

    free = norm(fit(tmp_path))
    assert free > 0.1
    assert norm(fit(tmp_path, clip=0.01)) == pytest.approx(0.01, rel=1e-4)
    assert norm(fit(tmp_path, clip=100.0)) == free


def test_bf16_runs_on_request_with_float32_weights(tmp_path: Path) -> None:
    run = fit(tmp_path, precision="bf16")
    seen = []
    assert isinstance(run.model, CapableNetwork)
    run.model.classifier.register_forward_hook(lambda _module, _given, logits: seen.append(logits.dtype))
    run.train_epoch(1)
    assert set(seen) == {torch.bfloat16}
    assert {p.dtype for p in run.model.parameters()} == {torch.float32}
    plain = fit(tmp_path)
    plain.train_epoch(1)
    assert run.loss != plain.loss
    assert run.loss == pytest.approx(plain.loss, rel=0.05)
    assert not uses_bf16(OPTIONS, "cpu")


# --- what is validated and saved ---


def test_the_average_follows_its_formula() -> None:
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    average = Average(model, 0.5)
    expected = {name: value.clone() for name, value in model.state_dict().items()}
    for step in range(1, 20):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        average.update()
        decay = min(0.5, (1 + step) / (10 + step))
        expected = {n: decay * expected[n] + (1 - decay) * w for n, w in model.state_dict().items()}
    for name, value in average.model.state_dict().items():
        torch.testing.assert_close(value, expected[name])


def test_the_average_has_statistics_of_its_own(tmp_path: Path) -> None:
    run = fit(tmp_path, ema=0.99)
    run.train_epoch(1)
    assert run.average is not None
    with run.trained(1) as model:
        assert isinstance(model, CapableNetwork) and model is not run.model and not model.training
        features = model.stem[0](run.data.x)
        norm = model.stem[1]
        torch.testing.assert_close(norm.running_mean, features.mean((0, 2, 3)))
        torch.testing.assert_close(norm.running_var, features.var((0, 2, 3)))
        assert norm.momentum == 0.1
    again = {name: value.clone() for name, value in model.state_dict().items()}
    with run.trained(1) as model:
        assert all(torch.equal(again[name], value) for name, value in model.state_dict().items())


@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_saved_models_have_no_auxiliary_head_and_score_as_validated(tmp_path: Path, ema: float) -> None:
    metrics = [ACCURACY, Metric("parameters", Direction.MINIMIZE)]
    ctx = context(tmp_path, metrics=metrics)
    result = Network(with_options(auxiliary=0.4, ema=ema)).evaluate(TINY_CONFIG, ctx)
    weights = torch.load(tmp_path / "model" / "weights.pt", weights_only=True)
    assert not [name for name in weights if "auxiliary" in name]
    plain = CapableNetwork(TINY_CONFIG, (1, 8, 8), 3, channels=4, cells=1)
    assert result.values["parameters"] == sum(p.numel() for p in plain.parameters())
    task = ctx.task
    assert Network(OPTIONS).score(tmp_path / "model", task, task.validation, metrics) == result.values


def test_averaged_weights_are_what_is_saved(tmp_path: Path) -> None:
    for ema in (0.0, 0.9):
        Network(with_options(ema=ema)).evaluate(TINY_CONFIG, context(tmp_path / str(ema)))
    saved = [
        torch.load(tmp_path / str(ema) / "model" / "weights.pt", weights_only=True)["classifier.weight"]
        for ema in (0.0, 0.9)
    ]
    assert not torch.equal(*saved)
    _, state = context(tmp_path / "0.9").checkpoint.load()
    assert torch.equal(state["average"]["model"]["classifier.weight"], saved[1])
    assert torch.equal(state["model"]["classifier.weight"], saved[0]), "averaging must not change training"


# --- drop-path and refusals ---


def test_drop_path_rises_linearly_over_the_epochs(tmp_path: Path) -> None:
    run = fit(tmp_path, drop_path=0.4)
    assert isinstance(run.model, CapableNetwork)
    for epoch in range(1, 5):
        run.train_epoch(epoch)
    expected = [0.0, 0.1, 0.2, pytest.approx(0.3)]
    assert run.model.seen == [probability for probability in expected for _ in range(4)]


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"drop_path": 0.2}, "drop_path needs a network with paths to drop, but got 0.2 for a Sequential"),
        ({"auxiliary": 0.4}, "auxiliary needs a network with an auxiliary head, but got 0.4"),
        ({"cutout": 8}, "cutout must be smaller than the images, but got 8 for 8×8"),
    ],
)
def test_what_a_network_cannot_do_is_refused(tmp_path: Path, options: dict[str, Any], rule: str) -> None:
    with pytest.raises(UserError, match=rule):
        Network(with_options(**options)).evaluate(TINY_CONFIG, context(tmp_path, space=TinySpace()))


def test_the_estimate_takes_the_whole_recipe(tmp_path: Path) -> None:
    assert 0 < seconds_per_epoch(TINY_CONFIG, context(tmp_path), FULL) < 5
