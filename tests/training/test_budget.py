"""A training that must end inside the budget, because nothing else has a value yet."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from fake_context import FakeContext, image_task

from automl.contracts import Config
from automl.searchspaces.nasbench201 import PLUGIN as NASBENCH201
from automl.training.fit import Fit
from automl.training.procedure import train_network
from automl.training.recipe import NetworkOptions

torch.set_num_threads(1)
PROTOCOL = NetworkOptions(epochs=1, batch_size=32, channels=2)
CONVOLUTIONS: Config = dict.fromkeys(NASBENCH201.parameters, "nor_conv_3x3")


@pytest.mark.parametrize(("seconds", "trained"), [(0.5, 4), (4.0, 2), (100.0, 1)])
def test_a_training_that_must_end_in_the_budget_has_fewer_epochs(
    tmp_path: Path, seconds: float, trained: int
) -> None:
    """Of 10 device-seconds: all epochs, as many as fit, or at least one; its value is that of the last."""
    recipe = PROTOCOL.model_copy(update={"epochs": 4})
    ctx = FakeContext(tmp_path, given_task=image_task(), space=NASBENCH201, remaining=10.0)
    result = train_network(CONVOLUTIONS, ctx, recipe, epoch_seconds=seconds)  # type: ignore[arg-type]
    assert [step for step, _, _ in ctx.reports] == list(range(1, trained + 1))
    assert result.values["accuracy"] == ctx.reports[-1][1]
    assert result.note == (
        "" if trained == 4 else f"the budget left time for {trained} of 4 epochs of training"
    )


def test_a_training_ends_when_the_machine_becomes_slower(tmp_path: Path) -> None:
    """After the second epoch nothing is left of the budget: the value is that of this epoch."""

    class Drained(FakeContext):
        def report(self, step: int, value: float, **metrics: float) -> None:
            super().report(step, value, **metrics)
            self.remaining = 1000.0 if step < 2 else -0.1

    recipe = PROTOCOL.model_copy(update={"epochs": 4})
    ctx = Drained(tmp_path, given_task=image_task(), space=NASBENCH201, remaining=1000.0)
    result = train_network(CONVOLUTIONS, ctx, recipe, epoch_seconds=0.1)  # type: ignore[arg-type]
    assert len(ctx.reports) == 2
    assert result.values["accuracy"] == ctx.reports[-1][1]
    assert "2 of 4 epochs" in result.note


def test_the_first_training_of_a_search_returns_what_it_has_when_the_budget_is_used_up(
    tmp_path: Path,
) -> None:
    """Also where nobody timed it before: no report after the budget, which would end it without a value."""

    class Spent(FakeContext):
        @property
        def remaining(self) -> float:  # type: ignore[override]
            return 1000.0 if not self.reports else -1.0

        @remaining.setter
        def remaining(self, value: float) -> None:
            """The field of the base class."""

    recipe = PROTOCOL.model_copy(update={"epochs": 4})
    for needs_value, steps in ((True, [1]), (False, [1, 2, 3, 4])):
        ctx = Spent(tmp_path / str(needs_value), given_task=image_task(), space=NASBENCH201)
        ctx.needs_value = needs_value
        result = train_network(CONVOLUTIONS, ctx, recipe)  # type: ignore[arg-type]
        assert [step for step, _, _ in ctx.reports] == steps
        assert math.isfinite(result.values["accuracy"])
        assert bool(result.note) is needs_value


@pytest.mark.parametrize("batches", [1, 3])
def test_a_first_value_comes_after_a_part_of_an_epoch_when_the_machine_hardly_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: int
) -> None:
    """One batch costs a device-second."""

    class Slow(FakeContext):
        spent = 0.0

        @property
        def remaining(self) -> float:  # type: ignore[override]
            return batches - self.spent

        @remaining.setter
        def remaining(self, value: float) -> None:
            """The field of the base class."""

    ctx = Slow(tmp_path, given_task=image_task(), space=NASBENCH201)
    ctx.needs_value = True
    inner = Fit._loss

    def slow(fit: Fit, part: torch.Tensor) -> torch.Tensor:
        ctx.spent += 1.0
        return inner(fit, part)

    monkeypatch.setattr(Fit, "_loss", slow)
    recipe = PROTOCOL.model_copy(update={"epochs": 2, "batch_size": 4})
    result = train_network(CONVOLUTIONS, ctx, recipe)  # type: ignore[arg-type]
    assert ctx.spent == batches
    part = batches / math.ceil(len(image_task().train.y) / 4)
    assert 0 < part < 1
    assert result.metrics["epochs"] == pytest.approx(part)
    assert result.note == f"the budget left time for {part:.3g} of 2 epochs of training"
    assert math.isfinite(result.values["accuracy"]) and math.isfinite(result.metrics["train_loss"])
    assert not ctx.reports, "it would end the trial"
