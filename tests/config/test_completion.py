"""Study files of meta-learners: baselines come by themselves, options hold, mistakes are told early."""

from pathlib import Path

import pytest

from automl.config import Study, load_study
from automl.contracts import UserError

IMAGES = "task: {dataset: glyphs, metric: accuracy, episodes: {ways: 5, shots: 1}}"
FUNCTIONS = "task: {dataset: sinusoids, metric: mse, episodes: {shots: 5, queries: 5}}"
REST = "budget: {trials: 2}\nseeds: 1"
MAML = "arms: {maml: {strategy: tpe}}"


def load(path: Path, *lines: str, space: str = "maml") -> Study:
    file = path / "study.yaml"
    file.write_text("\n".join(["name: few-shot", f"space: {space}", REST, *lines]), encoding="utf-8")
    return load_study(file)


def mistakes(path: Path, *lines: str, space: str = "maml") -> str:
    with pytest.raises(UserError) as caught:
        load(path, *lines, space=space)
    return str(caught.value)


def spaces(study: Study) -> dict[str, str | None]:
    return {name: arm.space.name if arm.space else None for name, arm in study.arms.items()}


def test_every_baseline_that_can_learn_the_task_is_an_arm(tmp_path: Path) -> None:
    study = load(
        tmp_path, IMAGES, "evaluator: metalearn", "arms: {protonet: {space: protonet, strategy: tpe}}"
    )
    assert spaces(study) == {
        "random": None,
        "protonet": "protonet",
        "no-adaptation": "no_adaptation",
        "finetune": "finetune",
        "embedding": "embedding",
        "nearest-centroid": "nearest_centroid",
    }
    assert all(arm.evaluator is None for arm in study.arms.values())
    assert study.evaluator.options == {"backbone": "conv4"}
    functions = load(tmp_path, FUNCTIONS, "evaluator: metalearn", MAML)
    assert list(functions.arms) == ["random", "maml", "finetune", "no-adaptation"]
    assert functions.evaluator.options == {"backbone": "mlp"}


def test_a_baseline_that_the_file_names_is_the_files(tmp_path: Path) -> None:
    arms = "arms: {finetune: {strategy: random, space: finetune}, "
    arms += "cl2n: {strategy: tpe, space: nearest_centroid}}"
    study = load(tmp_path, IMAGES, "evaluator: metalearn", arms)
    assert list(study.arms) == ["random", "finetune", "cl2n", "embedding", "no-adaptation"]
    strategy = study.arms["finetune"].strategy
    assert strategy is not None and strategy.name == "random"


def test_options_of_the_file_hold_in_every_arm(tmp_path: Path) -> None:
    evaluator = "evaluator: {metalearn: {width: 16, inner_steps: 1, iterations: 50}}"
    arms = "arms: {fix: {strategy: tpe, space: {name: protonet, fix: {width: 8}}}, "
    arms += "anil: {strategy: tpe, space: anil}}"
    study = load(tmp_path, IMAGES, evaluator, arms)
    fixed = {name: arm.space.fix for name, arm in study.arms.items() if arm.space}
    assert study.space is not None and study.space.fix == {"width": 16, "inner_steps": 1}
    assert fixed == {
        "fix": {"width": 8},
        "anil": {"width": 16},
        "no-adaptation": {"width": 16},
        "finetune": {"width": 16},
        "embedding": {"width": 16},
        "nearest-centroid": {"width": 16},
    }
    own = "arms: {wide: {strategy: tpe, evaluator: {metalearn: {width: 64}}}}"
    wide = load(tmp_path, IMAGES, evaluator, own).arms["wide"]
    assert wide.space is not None and (wide.space.name, wide.space.fix) == ("maml", {"width": 64})


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        (["task: {dataset: glyphs, metric: accuracy}", "evaluator: metalearn"], "episodes is missing"),
        ([IMAGES, "evaluator: {pipeline: {folds: 3}}"], "few-shot tasks need an evaluator that meta-learns"),
        ([IMAGES.replace("ways: 5", "ways: 0"), "evaluator: metalearn"], "task.episodes.ways"),
        ([IMAGES.replace("shots: 1", "shots: 0"), "evaluator: metalearn"], "task.episodes.shots"),
        ([IMAGES, "evaluator: {metalearn: {learner: mamml}}"], "did you mean 'maml'"),
        ([IMAGES, "evaluator: {metalearn: {inner_step: 1}}"], "did you mean 'inner_steps'"),
        ([IMAGES, "evaluator: {metalearn: {learner: protonet}}"], "learner: must be one of ['maml']"),
        ([IMAGES, "evaluator: {metalearn: {train_ways: 10}}"], "train_ways must be left out for maml"),
        ([IMAGES, "evaluator: {metalearn: {width: 1000}}"], "width: must be an integer in [8, 128]"),
    ],
)
def test_mistakes_are_told_before_anything_runs(tmp_path: Path, lines: list[str], text: str) -> None:
    assert text in mistakes(tmp_path, *lines, MAML)


def test_all_arms_that_cannot_learn_the_task_are_named_at_once(tmp_path: Path) -> None:
    arms = "arms: {protonet: {space: protonet, strategy: tpe}, net: {space: nasbench201, strategy: tpe}}"
    text = mistakes(tmp_path, FUNCTIONS, "evaluator: metalearn", arms)
    assert "arms.protonet: the learner protonet must suit the task, but it learns classification" in text
    assert "arms.net: a parameter must be an option of the learner 'maml'" in text
    assert "finetune" not in text
