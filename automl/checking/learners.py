"""What a meta-learner must do on every backbone that suits its kinds of tasks: see `automl.learners.base`."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from automl.checking.episodes import RepeatedTasks, double, images, sinusoids
from automl.checking.frame import Check
from automl.checkpoints import check_plain
from automl.contracts import Episodes, UserError
from automl.learners.backbones import NAMES, Backbone
from automl.learners.base import Learner, LearnerOptions, TaskSource
from automl.learners.layouts import Tensors

WAYS = 3
STEPS = 5  # of training
KINDS = {"classification", "regression"}


def checks(plugin: object) -> Iterator[Check]:
    """The checks of a learner."""
    yield Check("it is a class of learners with options and kinds of tasks", partial(_check_class, plugin))
    if not (isinstance(plugin, type) and issubclass(plugin, Learner)):
        return
    yield Check("tasks of other kinds are refused", partial(_check_refusal, plugin))
    cases = [_Case(plugin, "mlp", 0)] if "regression" in plugin.kinds else []
    if "classification" in plugin.kinds:
        cases += [_Case(plugin, network, WAYS) for network in NAMES]
    for case in cases:
        kind = f"{case.network}, {'classification' if case.ways else 'regression'}"
        yield Check(f"training lowers the loss ({kind})", case.check_training)
        yield Check(f"the seed determines everything ({kind})", case.check_seeds)
        yield Check(f"a state continues bit for bit ({kind})", case.check_continuation)
        yield Check(f"adaptation uses the support set alone ({kind})", case.check_adaptation)
        yield Check(f"exported parameters adapt alike ({kind})", case.check_export)


@dataclass(frozen=True)
class _Case:
    """A learner on one backbone and one kind of tasks (`ways` 0: regression)."""

    plugin: type[Learner]
    network: str
    ways: int

    def build(self, seed: int = 0) -> Learner:
        options = {"formulation": "batched", **self.plugin.example_options}  # nothing to measure
        shape = (1, 8, 8) if self.ways else (1,)
        backbone = Backbone(self.network, shape, 2 if self.network == "resnet12" else 4)
        return self.plugin(self.plugin.Options(**options), backbone, ways=self.ways, seed=seed)

    def make(self, seed: int = 0) -> Learner:
        """A learner in float64 that is ready to learn."""
        learner = self.build(seed).to(dtype=torch.float64)
        learner.begin(self.source())
        return learner

    def source(self, seed: int = 0) -> TaskSource:
        return RepeatedTasks(self.tasks(seed))

    def tasks(self, seed: int = 0) -> Episodes:
        return double(images(3, ways=self.ways, seed=seed) if self.ways else sinusoids(3, seed=seed))

    def check_training(self) -> None:
        learner = self.make()
        start = learner.parameters_for_export()
        losses = [learner.learn(self.source()) for _ in range(STEPS)]
        for loss in losses:
            assert loss.shape == () and not loss.requires_grad and loss.isfinite(), (
                f"learn must return a finite scalar without gradient, but got {loss}; detach the mean loss"
            )
        assert losses[-1] < losses[0], (
            f"{STEPS} updates on the same tasks must lower the loss, but it went from {losses[0]:.4g} to "
            f"{losses[-1]:.4g}; check the sign and the size of the update"
        )
        assert not _equal(start, learner.parameters_for_export()), (
            "learn must change the parameters, but they are as before; call outer_step"
        )
        assert learner.iteration == STEPS, (
            f"learn must count its updates in iteration, but it is {learner.iteration} after {STEPS}; "
            "call outer_step once in each"
        )

    def check_seeds(self) -> None:
        first, again, other = (self.make(seed) for seed in (1, 1, 2))
        assert not _equal(first.parameters_for_export(), other.parameters_for_export()), (
            "other seeds must give other parameters, but they are equal; draw them from the seed"
        )
        for learner in (first, again):
            for seed in (1, 2):
                learner.learn(self.source(seed))
        assert _equal(first.parameters_for_export(), again.parameters_for_export()), (
            "equal seeds must give equal learning, but the parameters differ; draw random numbers from "
            "self.generator alone"
        )

    def check_continuation(self) -> None:
        first, other = self.make(1), self.make(2)
        first.learn(self.source(1))
        state = copy.deepcopy(first.state_dict())
        check_plain(state, "state_dict")
        first.learn(self.source(2))
        other.load_state_dict(state)
        other.learn(self.source(2))
        assert _equal(first.parameters_for_export(), other.parameters_for_export()), (
            "a learner with the state of another must continue like it, but the parameters differ; "
            "state_dict must hold all that changes in training"
        )

    def check_adaptation(self) -> None:
        learner, tasks = self.make(), self.tasks()
        before = copy.deepcopy(learner.state_dict())
        x, y, query = tasks.support_x[0], tasks.support_y[0], tasks.query_x[0]
        steps = 3 if learner.adaptation_steps else None
        outputs = learner.adapt(x, y, steps=steps)(query)
        self._check_outputs(outputs, len(query))
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
        _check_close(
            learner.adapt(x[order], y[order], steps=steps)(query),
            outputs,
            "the order of the support set must not matter",
        )
        predicted = learner.predict(tasks, steps=steps)
        _check_close(predicted[0], outputs, "predict must give the outputs of adapt")
        turned = Episodes(tasks.support_x, tasks.support_y, tasks.query_x, tasks.query_y.flip(1), self.ways)
        assert torch.equal(learner.predict(turned, steps=steps), predicted), (
            "predictions must not depend on the targets of the queries, but do; use the support set alone"
        )
        after = learner.state_dict()
        assert _equal(before["parameters"], after["parameters"]), (
            "adaptation must change nothing, but the parameters are others; adapt copies of them"
        )
        assert torch.equal(before["generator"], after["generator"]), (
            "adaptation must draw no random numbers, but self.generator has moved on"
        )

    def check_export(self) -> None:
        learner, other, tasks = self.make(1), self.make(2), self.tasks()
        learner.learn(self.source())
        other.take_exported(learner.parameters_for_export())
        _check_close(
            other.predict(tasks),
            learner.predict(tasks),
            "a learner that takes exported parameters must adapt like the one that has learned them",
        )

    def _check_outputs(self, outputs: Tensor, queries: int) -> None:
        expected = (queries, self.ways) if self.ways else (queries,)
        assert outputs.shape == expected, (
            f"outputs must have the shape {expected}, but have {tuple(outputs.shape)}; return logits "
            "(queries, ways), or values (queries,)"
        )
        assert outputs.isfinite().all(), "outputs must be finite, but some are not; lower the rates"
        assert not outputs.requires_grad, "outputs must carry no gradient, but do; use torch.no_grad()"


def _check_class(plugin: object) -> None:
    assert isinstance(plugin, type) and issubclass(plugin, Learner), (
        f"a learner must extend EpisodicLearner or JointLearner of automl.learners, but is {plugin!r}; "
        "extend one of them"
    )
    assert issubclass(plugin.Options, LearnerOptions), (
        f"the options of a learner must extend LearnerOptions, but are {plugin.Options!r}; extend it"
    )
    assert plugin.kinds and plugin.kinds <= KINDS, (
        f"kinds must be some of {', '.join(sorted(KINDS))}, but got {sorted(plugin.kinds)}; correct it"
    )


def _check_refusal(plugin: type[Learner]) -> None:
    wrong = [1, *([0] if "regression" not in plugin.kinds else [])]
    wrong += [WAYS] if "classification" not in plugin.kinds else []
    for ways in wrong:
        try:
            _Case(plugin, "mlp", ways).build()
        except UserError:
            continue
        raise AssertionError(
            f"a learner must refuse tasks it cannot learn with a UserError, but took ways={ways}; call "
            "super().__init__ first"
        )


def _check_close(found: Tensor, expected: Tensor, rule: str) -> None:
    try:
        torch.testing.assert_close(found, expected)
    except AssertionError as error:
        raise AssertionError(f"{rule}, but the outputs differ: {error}") from error


def _equal(a: Tensors, b: Tensors) -> bool:
    return set(a) == set(b) and all(torch.equal(a[name], b[name]) for name in a)
