"""What every meta-learner must do on every backbone, one from a user's own file too."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from episode_examples import double, images, sinusoids
from torch import Tensor

from automl import plugins
from automl.checkpoints import check_plain
from automl.contracts import Episodes, UserError
from automl.learners.backbones import NAMES, Backbone

LEARNERS = plugins.names("learners")
CASES = [(name, "mlp", 0) for name in LEARNERS if "regression" in plugins.load("learners", name).kinds] + [
    (name, network, 3)
    for name in LEARNERS
    if "classification" in plugins.load("learners", name).kinds
    for network in NAMES
]
OWN = '''"""A user's own learner: prototypes by the mean of untrained features, and a bias that is learned."""

import torch

from automl.learners.base import LearnerOptions
from automl.learners.episodic import EpisodicLearner


class Own(EpisodicLearner):
    kinds = frozenset({"classification"})

    def logits(self, part):
        features = self.backbone.embed(self.parameters, part.support_x)
        labels = torch.nn.functional.one_hot(part.support_y, self.ways).to(features)
        prototypes = labels.transpose(-1, -2) @ features / labels.sum(-2).unsqueeze(-1)
        query = self.backbone.embed(self.parameters, part.query_x, part.support_x)
        return -(query.unsqueeze(-2) - prototypes.unsqueeze(-3)).square().sum(-1)

    def task_losses(self, part):
        return self.loss(self.logits(part), part.query_y)

    @torch.no_grad()
    def part_outputs(self, part, steps):
        return self.logits(part)

    def adapt(self, support_x, support_y, *, steps=None):
        from automl.contracts import Episodes

        return lambda x: self.part_outputs(Episodes(support_x, support_y, x, support_y, self.ways), steps)


PLUGIN = Own
'''


def make(name: str, network: str, ways: int, *, seed: int = 0, **options: Any) -> Any:
    plugin = plugins.load("learners", name)
    backbone = Backbone(network, (1, 8, 8) if ways else (1,), 2 if network == "resnet12" else 4)
    small = {"inner_rate": 1e-3, "inner_steps": 2, "formulation": "batched"}  # nothing to measure
    options = {key: value for key, value in small.items() if key in plugin.Options.model_fields} | options
    made = plugin(plugin.Options(**options), backbone, ways=ways, seed=seed).to(dtype=torch.float64)
    if made.joint:
        made.set_classes(6 if ways else 0)
    return made


def tasks(ways: int, *, seed: int = 0) -> Episodes:
    return double(images(3, ways=ways, seed=seed) if ways else sinusoids(3, seed=seed))


def step(made: Any, seed: int = 0) -> Tensor:
    """One step of whatever kind the learner takes."""
    batch = tasks(made.ways, seed=seed)
    if not made.joint:
        loss: Tensor = made.meta_step(batch)
        return loss
    y = batch.support_y + 3 * (torch.arange(3)[:, None] % 2) if made.ways else batch.support_y
    joint: Tensor = made.joint_step(batch.support_x.flatten(0, 1), y.flatten())
    return joint


def learns(made: Any) -> bool:
    return bool(made.joint or made.trained_by_episodes)


def same(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)


def check_training(name: str, network: str, ways: int) -> None:
    made = make(name, network, ways)
    start = made.parameters_for_export()
    losses = [step(made) for _ in range(5)]
    assert all(loss.shape == () and not loss.requires_grad and loss.isfinite() for loss in losses)
    assert losses[-1] < losses[0]
    assert not same(start, made.parameters_for_export())
    assert made.iteration == 5


def check_seeds_and_continuation(name: str, network: str, ways: int) -> None:
    first, again, other = (make(name, network, ways, seed=seed) for seed in (1, 1, 2))
    assert same(first.parameters_for_export(), again.parameters_for_export())
    assert not same(first.parameters_for_export(), other.parameters_for_export())
    if not learns(first):
        return
    step(first, 1)
    state = copy.deepcopy(first.state_dict())
    check_plain(state, "state")
    step(first, 2)
    other.load_state_dict(state)
    step(other, 2)
    for seed in (1, 2):
        step(again, seed)
    assert same(first.parameters_for_export(), other.parameters_for_export())
    assert same(first.parameters_for_export(), again.parameters_for_export())


def check_adaptation(name: str, network: str, ways: int) -> None:
    made, batch = make(name, network, ways), tasks(ways)
    before = copy.deepcopy(made.state_dict())
    x, y, query = batch.support_x[0], batch.support_y[0], batch.query_x[0]
    steps = 3 if made.adaptation_steps else None
    outputs = made.adapt(x, y, steps=steps)(query)
    assert outputs.shape == ((len(query), ways) if ways else (len(query),))
    assert outputs.isfinite().all()
    assert not outputs.requires_grad
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(made.adapt(x[order], y[order], steps=steps)(query), outputs)
    predicted = made.predict(batch, steps=steps)
    torch.testing.assert_close(predicted[0], outputs)
    other = Episodes(batch.support_x, batch.support_y, batch.query_x, batch.query_y.flip(1), ways)
    assert torch.equal(made.predict(other, steps=steps), predicted)
    after = made.state_dict()
    assert same(before["parameters"], after["parameters"])
    assert torch.equal(before["generator"], after["generator"])


@pytest.mark.parametrize(("name", "network", "ways"), CASES)
class TestEveryLearner:
    def test_training_lowers_the_loss(self, name: str, network: str, ways: int) -> None:
        if not learns(make(name, network, ways)):
            pytest.skip("learns nothing from other tasks")
        check_training(name, network, ways)

    def test_the_seed_draws_everything_and_a_state_continues(
        self, name: str, network: str, ways: int
    ) -> None:
        check_seeds_and_continuation(name, network, ways)

    def test_adaptation_uses_the_support_set_alone(self, name: str, network: str, ways: int) -> None:
        check_adaptation(name, network, ways)


@pytest.mark.parametrize("name", LEARNERS)
def test_tasks_of_another_kind_are_refused(name: str) -> None:
    kinds = plugins.load("learners", name).kinds
    assert kinds
    assert kinds <= {"classification", "regression"}
    if "regression" not in kinds:
        with pytest.raises(UserError, match=rf"learner {name} must be classification, but got regression"):
            make(name, "mlp", 0)
    with pytest.raises(UserError, match="ways must be at least 2"):
        make(name, "mlp", 1)


def test_a_learner_from_a_users_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "learners").mkdir()
    (tmp_path / "learners" / "own.py").write_text(OWN, encoding="utf-8")
    monkeypatch.setenv("AUTOML_PLUGINS", str(tmp_path))
    assert "own" in plugins.names("learners")
    for check in (check_training, check_seeds_and_continuation, check_adaptation):
        check("own", "conv4", 3)
