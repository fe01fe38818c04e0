"""What every meta-learner must do on every backbone, one from a user's own file too."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from automl import plugins
from automl.checking import Check, run_checks
from automl.checking.learners import checks
from automl.contracts import Episodes
from automl.learners.maml import Maml
from automl.learners.protonet import Protonet

OWN = '''"""A user's own learner: prototypes by the mean of untrained features, and a bias that is learned."""

import torch

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


CASES = [
    pytest.param(check, id=f"{name}: {check.name}")
    for name in plugins.names("learners")
    for check in checks(plugins.load("learners", name))
]


@pytest.mark.parametrize("check", CASES)
def test_every_learner_keeps_the_contract(check: Check) -> None:
    check.run()


@pytest.mark.slow
def test_a_learner_from_a_users_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "learners").mkdir()
    (tmp_path / "learners" / "own.py").write_text(OWN, encoding="utf-8")
    monkeypatch.setenv("AUTOML_PLUGINS", str(tmp_path))
    assert "own" in plugins.names("learners")
    assert problems(plugins.load("learners", "own")) == {}


class Uphill(Protonet):
    """Changes its parameters the wrong way, and does not say so."""

    def task_losses(self, part: Episodes) -> Tensor:
        """The loss with the wrong sign."""
        return -super().task_losses(part)

    def meta_step(self, episodes: Episodes) -> Tensor:
        """The loss with the right sign."""
        return -super().meta_step(episodes)


class Peeking(Protonet):
    """Looks at the targets of the queries."""

    @torch.no_grad()
    def part_outputs(self, part: Episodes, steps: int | None) -> Tensor:
        """Outputs that depend on them."""
        outputs = super().part_outputs(part, steps)
        return outputs + part.query_y[..., :1, None] * 1e-9


class Random(Maml):
    """Draws from torch's own generator."""

    def outer_step(self, gradients: dict[str, Tensor]) -> None:
        """A noisy step."""
        super().outer_step({name: value + torch.rand(1) * 1e-3 for name, value in gradients.items()})


class Partial(Protonet):
    """Exports its first parameter only."""

    def take_exported(self, values: dict[str, Tensor]) -> None:
        """Leave all others as they are."""
        name = next(iter(values))
        super().take_exported({**self.parameters, name: values[name]})


@pytest.mark.parametrize(
    ("plugin", "name", "text"),
    [
        (SimpleNamespace(), "it is a class of learners", "must extend EpisodicLearner or JointLearner"),
        (Uphill, "training lowers the loss", "updates on the same tasks must lower the loss"),
        (Peeking, "adaptation uses the support set", "must not depend on the targets of the queries"),
        (Random, "the seed determines everything", "draw random numbers from self.generator alone"),
        (Partial, "exported parameters adapt alike", "takes exported parameters must adapt like"),
    ],
)
def test_what_breaks_a_rule_is_named(plugin: object, name: str, text: str) -> None:
    broken = problems(plugin)
    assert any(check.startswith(name) for check in broken)
    assert all(text in problem for check, problem in broken.items() if check.startswith(name))


def problems(plugin: object) -> dict[str, str]:
    return {report.name: report.problem for report in run_checks(checks(plugin)) if report.problem}
