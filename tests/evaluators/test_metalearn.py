"""Meta-training as an evaluation: reports, resuming, fixed episodes, intervals, and what is refused."""

import json
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from episode_examples import episodic_task, functions_task
from fake_context import ACCURACY, FakeContext

from automl import plugins
from automl.contracts import (
    ADAPTATION_STEPS,
    Direction,
    EpisodeSpec,
    Metric,
    Result,
    RunError,
    Task,
    TaskOutline,
    TrialStopped,
    UserError,
)
from automl.data.episodes import EpisodeSampler
from automl.evaluators.metalearn import MetaLearn
from automl.learners.maml import Maml
from automl.metatraining import scores
from automl.metatraining.options import MetaLearnOptions
from automl.metatraining.outer_loop import MetaTraining
from automl.metatraining.saved import load_learner
from automl.space import Choice, Int, Space

torch.set_num_threads(1)
LEARNERS = plugins.names("learners")
MSE = Metric("mse", Direction.MINIMIZE)
SMALL = {"width": 4, "iterations": 6, "report_every": 2, "validation_episodes": 20, "formulation": "loop"}


def options(**given: Any) -> MetaLearnOptions:
    return MetaLearnOptions.model_validate({**SMALL, **given})


def run(path: Path, config: Any = None, *, task: Task | None = None, **fields: Any) -> tuple[Result, Any]:
    given = {name: fields.pop(name) for name in list(fields) if name not in FakeContext.__annotations__}
    context = FakeContext(path, given_task=task or episodic_task(), **fields)
    return MetaLearn(options(**given)).evaluate(config or {}, context), context


@pytest.mark.parametrize("learner", ["maml", "nearest_centroid"])
def test_resumes_bit_for_bit_and_depends_on_the_seed_alone(learner: str, tmp_path: Path) -> None:
    whole, straight = run(tmp_path / "a", learner=learner, seed=3)
    with pytest.raises(TrialStopped):
        run(tmp_path / "b", learner=learner, seed=3, stop_at=2)  # ends before the second checkpoint
    resumed, second = run(tmp_path / "b", learner=learner, seed=3)
    other, _ = run(tmp_path / "c", learner=learner, seed=4)
    assert resumed == whole != other
    assert second.reports == straight.reports[1:]
    assert [step for step, _, _ in straight.reports] == [2, 4, 6]


def test_a_spent_budget_is_reported_after_the_iteration(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, given_task=episodic_task(), remaining=-1.0, stop_at=1)
    with pytest.raises(TrialStopped):
        MetaLearn(options(report_every=6)).evaluate({}, context)
    assert [step for step, _, _ in context.reports] == [1]


@pytest.mark.slow
def test_functions_are_learnt(tmp_path: Path) -> None:
    task = functions_task()
    errors_of_zero = [float((torch.as_tensor(part.y) ** 2).mean()) for part in (task.train, task.validation)]
    given = {"inner_steps": 5, "inner_rate": 0.1, "outer_rate": 0.01}
    result, _ = run(tmp_path, given, task=task, metrics=[MSE], width=16, iterations=100, report_every=100)
    assert set(result.values) == {"mse"}  # predicting zero: 0.24 and 0.42; four seeds: at most 0.16 and 0.07
    assert result.values["mse"] < 0.8 * errors_of_zero[1]
    assert result.metrics["train_mse"] < 0.5 * errors_of_zero[0]


def test_an_accuracy_has_an_interval_and_the_learner_is_described(tmp_path: Path) -> None:
    result, context = run(tmp_path, {"learner": "protonet"})
    assert result.metrics["accuracy_low"] < result.values["accuracy"] < result.metrics["accuracy_high"]
    assert 0 < result.metrics["train_accuracy"] <= 1 and math.isfinite(result.metrics["train_loss"])
    told = json.loads((context.workdir / "artifacts" / "learner.json").read_text())
    assert told["formulation"] == "loop" and told["backbone"].startswith("conv4-4")
    assert result.metrics["batched"] == 0


def test_validation_episodes_are_those_of_every_learner_and_seed(tmp_path: Path) -> None:
    found = [
        MetaTraining(options(learner=learner), FakeContext(tmp_path, given_task=episodic_task(), seed=seed))
        for learner, seed in (("maml", 0), ("embedding", 5))
    ]
    for a, b in zip(found[0].validation, found[1].validation, strict=True):
        assert torch.equal(a.support_x, b.support_x) and torch.equal(a.query_y, b.query_y)
    assert sum(map(len, found[0].validation)) == 20
    assert found[1].learner.parameters["head.weight"].shape[0] == 6  # all meta-train classes


def test_only_training_classes_are_turned_when_asked(tmp_path: Path) -> None:
    context = FakeContext(tmp_path, given_task=episodic_task())
    plain, turned = (MetaTraining(options(**given), context) for given in ({}, {"train_rotations": True}))
    assert turned.sampler.classes == 4 * plain.sampler.classes
    for a, b in zip(plain.validation, turned.validation, strict=True):
        assert torch.equal(a.query_x, b.query_x)


@pytest.mark.slow
def test_a_final_model_is_read_back_and_predicts_equally(tmp_path: Path) -> None:
    task, context_seed = episodic_task(), 2
    batch = next(EpisodeSampler(task.validation, scores.episodes_of(task), seed=0).fixed(4, 4))
    for learner in ("reptile", "protonet", "finetune", "nearest_centroid"):
        folder = tmp_path / learner
        context = FakeContext(folder, given_task=task, seed=context_seed, final=True)
        evaluator = MetaLearn(options(learner=learner, iterations=2))
        evaluator.evaluate({}, context)
        training = MetaTraining(options(learner=learner, iterations=2), context)
        training.train()  # nothing is left to do: the state of the checkpoint
        loaded = load_learner(folder / "model")
        torch.testing.assert_close(loaded.predict(batch), training.learner.predict(batch))
        assert json.loads((folder / "model" / "config.json").read_text())["learner"] == learner


def test_scores_have_intervals_that_shrink_with_episodes_and_values_by_steps(tmp_path: Path) -> None:
    metrics = FakeContext(tmp_path).metrics
    for learner in ("maml", "protonet"):
        run(tmp_path / learner, learner=learner, iterations=2, validation_episodes=2, final=True)
    widths = []
    for count in (20, 180):
        task = episodic_task(count=count)
        found = MetaLearn(options()).score(tmp_path / "protonet/model", task, task.validation, metrics)
        assert found["accuracy_low"] < found["accuracy"] < found["accuracy_high"]
        widths.append(found["accuracy_high"] - found["accuracy_low"])
    assert 2 < widths[0] / widths[1] < 4.5  # √9 = 3
    assert found == MetaLearn(options()).score(tmp_path / "protonet/model", task, task.validation, metrics)
    found = MetaLearn(options()).score(
        tmp_path / "maml/model", episodic_task(count=4), task.validation, metrics
    )
    assert {f"accuracy_after_{steps}" for steps in ADAPTATION_STEPS} <= set(found)
    assert found["accuracy_after_1"] == found["accuracy"]  # it was trained with one step


def test_the_interval_is_students() -> None:
    found = scores.interval(torch.tensor([0.0, 1.0, 2.0]).numpy())
    assert found.mean == 1  # deviation 1, over √3; t(0.975, 2) = 4.3027
    assert found.high - found.mean == pytest.approx(4.302653 / math.sqrt(3), rel=1e-5)


def test_a_loss_that_is_not_finite_fails_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Maml, "meta_step", lambda self, episodes: torch.tensor(math.nan))
    with pytest.raises(RunError, match=r"must stay finite.*lower outer_rate"):
        run(tmp_path)


def test_what_a_learner_cannot_learn_is_refused_before_training(tmp_path: Path) -> None:
    space = Space({"train_ways": Int(2, 7), "learner": Choice(("protonet",))})
    with pytest.raises(UserError, match="protonet must be classification, but got regression"):
        run(tmp_path, learner="protonet", task=functions_task(), metrics=[MSE])
    with pytest.raises(UserError, match=r"train_ways must be the task's ways \(2\) for maml"):
        run(tmp_path, train_ways=3)
    with pytest.raises(UserError, match=r"task\.episodes is not set"):
        run(tmp_path, task=replace(episodic_task(), episodes=None))
    with pytest.raises(UserError, match="cannot be drawn: every part must have at least as many classes"):
        MetaLearn(options()).check_data(episodic_task(classes=6), space, MetaLearn(options()))
    MetaLearn(options()).check_data(episodic_task(classes=7), space, MetaLearn(options()))
    with pytest.raises(UserError, match="inputs of conv4 must be images"):
        MetaLearn(options(backbone="conv4")).check_data(
            functions_task(), plugins.load("spaces", "maml"), MetaLearn(options())
        )
    assert not (tmp_path / "checkpoints").exists() or not list((tmp_path / "checkpoints").iterdir())


@pytest.mark.parametrize("name", LEARNERS)
def test_every_learner_has_a_space_of_options_that_it_takes(name: str) -> None:
    space, rng = plugins.load("spaces", name), random.Random(0)
    for config in [space.default_config(), *(space.sample(rng) for _ in range(20))]:
        assert config["learner"] == name
        taken = options().adjusted(config)
        every = taken.model_dump() | taken.learner_options().model_dump()
        assert {key: every[key] for key in config} == config
    assert ("train_ways" in space.parameters) <= plugins.load("learners", name).any_ways


def outline(metric: Metric, **drawn: int) -> TaskOutline:
    return TaskOutline((metric,), has_data=True, episodes=EpisodeSpec(**drawn))


IMAGES, LINES = outline(ACCURACY), outline(MSE, ways=0)


def test_baselines_that_learn_such_tasks_and_have_a_space_are_arms() -> None:
    arms = MetaLearn.baseline_arms(IMAGES)
    assert [(arm.name, arm.space) for arm in arms] == [
        ("embedding", "embedding"),
        ("finetune", "finetune"),
        ("nearest-centroid", "nearest_centroid"),
        ("no-adaptation", "no_adaptation"),
    ]
    assert [arm.name for arm in MetaLearn.baseline_arms(LINES)] == ["finetune", "no-adaptation"]


def test_a_users_baseline_is_an_arm_and_a_broken_learner_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = '"""A copy."""\nfrom automl.learners.protonet import Protonet\n'
    learner += "class Copy(Protonet):\n    baseline = True\nPLUGIN = Copy\n"
    space = '"""Its space."""\nfrom automl.searchspaces.protonet import PLUGIN as P\nPLUGIN = P\n'
    broken = '"""Broken."""\nimport nothing_of_that_name\nPLUGIN = 1\n'
    for kind, files in {
        "learners": {"my_copy": learner, "my_broken": broken},
        "spaces": {"my_copy": space, "my_broken": space},
    }.items():
        (tmp_path / kind).mkdir()
        for name, text in files.items():
            (tmp_path / kind / f"{name}.py").write_text(text)
    monkeypatch.setenv("AUTOML_PLUGINS", str(tmp_path))
    assert ("my-copy", "my_copy") in [(arm.name, arm.space) for arm in MetaLearn.baseline_arms(IMAGES)]
    assert "my-broken" not in [arm.name for arm in MetaLearn.baseline_arms(IMAGES)]


@pytest.mark.parametrize(("task", "backbone"), [(IMAGES, "conv4"), (LINES, "mlp")])
def test_the_backbone_auto_is_written_out(task: TaskOutline, backbone: str) -> None:
    assert MetaLearn.completed_options({"width": 8}, task) == {"width": 8, "backbone": backbone}
    assert MetaLearn.completed_options({"backbone": "auto"}, task) == {"backbone": backbone}
    assert MetaLearn.completed_options({"backbone": "resnet12"}, task) == {"backbone": "resnet12"}
    assert MetaLearn.completed_options({"width": 0}, task) == {"width": 0}
