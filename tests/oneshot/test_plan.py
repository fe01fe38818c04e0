"""How many search epochs fit beside the training of the derived network."""

from __future__ import annotations

import time

import pytest

from automl.contracts import Config, RunError
from automl.evaluators.network import Network
from automl.oneshot import plan as planning
from automl.searchspaces.nasbench201 import PLUGIN as NASBENCH201
from automl.training import procedure
from automl.training.recipe import NetworkOptions

PROTOCOL = NetworkOptions(epochs=1, batch_size=32, channels=2)
CONVOLUTIONS: Config = dict.fromkeys(NASBENCH201.parameters, "nor_conv_3x3")


class Fixed:
    """A context whose clock stands still."""

    devices = 1.0
    needs_value = False

    def __init__(self, remaining: float) -> None:
        self.remaining, self.space = remaining, NASBENCH201


@pytest.mark.parametrize(
    ("selection", "trainings", "epochs"),
    [(0.0, 1, 37), (0.25, 1, 28), (0.0, 3, 32)],
)
def test_the_plan_keeps_time_for_choice_and_rank_check(
    monkeypatch: pytest.MonkeyPatch, selection: float, trainings: int, epochs: int
) -> None:
    """Of 100 s, 10 stay unused; a training takes 5.5 s, an epoch 2.25 s; a quarter is for choosing."""
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(procedure, "seconds_per_epoch", lambda *_, **__: 5.0)
    plan = planning.EpochPlan(Fixed(100.0), Network(PROTOCOL), limit=None, deadline=3600.0)  # type: ignore[arg-type]
    plan.selection, plan.trainings = selection, trainings
    plan.observe(2.25)
    plan.searched = 0.0
    assert plan.epochs(0, [CONVOLUTIONS]) == epochs
    left = 90.0 - trainings * 5.5
    assert plan.selection_seconds([CONVOLUTIONS]) == pytest.approx(selection * left)


def test_the_plan_reserves_for_the_dearest_genotype(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = dict.fromkeys(NASBENCH201.parameters, "skip_connect")
    cost = {NASBENCH201.digest(cheap): 1.0, NASBENCH201.digest(CONVOLUTIONS): 9.0}
    monkeypatch.setattr(
        procedure, "seconds_per_epoch", lambda config, *_, **__: cost[NASBENCH201.digest(config)]
    )
    plan = planning.EpochPlan(Fixed(100.0), Network(PROTOCOL), limit=None, deadline=3600.0)  # type: ignore[arg-type]
    plan.observe(1.0)
    assert plan.training_seconds([cheap, CONVOLUTIONS], again=False) == 9.0


def test_a_slow_machine_searches_one_epoch_when_a_short_training_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An epoch of the search takes 9 s and one of 4 epochs of training 3 s: of 25 s not all of it fits."""
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(procedure, "seconds_per_epoch", lambda *_, **__: 5.0)
    recipe = PROTOCOL.model_copy(update={"epochs": 4})
    for budget, expected in ((25.0, 1), (14.0, 1), (60.0, 3)):
        plan = planning.EpochPlan(Fixed(budget), Network(recipe), limit=None, deadline=3600.0)  # type: ignore[arg-type]
        plan.observe(9.0)
        assert plan.epochs(0, [CONVOLUTIONS]) == expected
        assert plan.epoch_seconds(CONVOLUTIONS) == pytest.approx(5.0)
    plan = planning.EpochPlan(Fixed(13.0), Network(recipe), limit=None, deadline=3600.0)  # type: ignore[arg-type]
    plan.observe(9.0)
    with pytest.raises(RunError, match="for one epoch"):
        plan.epochs(0, [CONVOLUTIONS])
