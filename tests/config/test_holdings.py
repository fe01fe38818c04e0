"""What the trials of an arm hold, where that is not what the executor gives to all."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from automl.config import Study, load_study, resolve
from automl.contracts import Held, UserError
from automl.forecast import forecast

STUDY: dict[str, Any] = {
    "name": "sizes",
    "task": {"dataset": "digits", "metric": "accuracy"},
    "space": "nasbench201",
    "evaluator": {"network": {"epochs": 4}},
    "budget": {"device_seconds": 120},
    "seeds": 2,
    "arms": {
        "random": {"strategy": "random"},
        "tpe": {"strategy": "tpe"},
        "darts": {"evaluator": {"supernet": {"batch_size": 8}}},
        "resnet": {"reference": "resnet"},
    },
    "executor": {"ray": {"trials_at_once": 2}},
}


def load(folder: Path, arms: dict[str, dict[str, Any]], **keys: Any) -> Study:
    """The study with more keys of its arms, and others of its own."""
    data = {**copy.deepcopy(STUDY), **keys}
    for name, more in arms.items():
        data["arms"][name] |= more
    path = folder / "x.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False))
    return load_study(path)


def held(folder: Path, arms: dict[str, dict[str, Any]], **keys: Any) -> dict[str, Held]:
    return {name: arm.held for name, arm in resolve(load(folder, arms, **keys)).arms.items()}


def refusal(folder: Path, arms: dict[str, dict[str, Any]], **keys: Any) -> str:
    with pytest.raises(UserError) as error:
        load(folder, arms, **keys)
    return str(error.value)


def test_an_arm_holds_what_it_says_and_the_others_what_the_executor_gives(tmp_path: Path) -> None:
    found = held(tmp_path, {"tpe": {"cpus": 0.5}}, executor={"ray": {"cpus": 2}})
    assert found == {name: Held(0.5 if name == "tpe" else 2.0) for name in STUDY["arms"]}
    found = held(tmp_path, {"tpe": {"gpus": 0.1}, "darts": {"cpus": 4}}, executor={"ray": {"gpus": 1}})
    assert found["tpe"] == Held(1.0, 0.1) and found["darts"] == Held(4.0, 1.0)
    assert found["random"] == found["resnet"] == Held(1.0, 1.0)


def test_an_arm_with_several_gpus_has_a_rank_for_each(tmp_path: Path) -> None:
    found = held(tmp_path, {"resnet": {"gpus": 2}}, executor={"ray": {"gpus": 1}})
    assert found["resnet"] == Held(1.0, 2.0, ranks=2)
    two = {"ray": {"cpus": 2, "ranks": 2}}
    assert held(tmp_path, {"tpe": {"cpus": 4}}, executor=two)["tpe"] == Held(4.0, ranks=2)


def test_the_baseline_may_hold_something_else_and_is_still_the_baseline(tmp_path: Path) -> None:
    assert held(tmp_path, {"random": {"cpus": 2}})["random"] == Held(2.0)
    assert "must be {strategy: random}" in refusal(tmp_path, {"random": {"strategy": "tpe", "cpus": 2}})


def test_arms_with_and_without_gpus_have_no_budget_in_common(tmp_path: Path) -> None:
    text = refusal(tmp_path, {"tpe": {"gpus": 1}})
    assert "arms: all arms must hold GPUs, or none, since one budget holds for all, but tpe hold some" in text
    assert "random, darts, resnet none; set executor.ray.gpus, for instance" in text


@pytest.mark.parametrize(
    ("arm", "executor", "text"),
    [
        ({"cpus": 0}, "ray", "arms.tpe.cpus: must be greater than 0, but got 0; write a number such as 2"),
        ({"gpus": -1}, "ray", "arms.tpe.gpus: must be greater than or equal to 0, but got -1"),
        ({"gpus": 1.5}, {"ray": {"gpus": 1}}, "arms.tpe: gpus must be a whole number, or a part of one GPU"),
        (
            {"cpus": 1},
            {"ray": {"cpus": 2, "ranks": 2}},
            "arms.tpe: ranks must be at most cpus (1), but got 2",
        ),
        ({"cpus": 0.5}, "local", "arms.tpe: cpus must be whole where one trial runs at a time, but got 0.5"),
    ],
)
def test_what_no_trial_can_hold_is_refused(tmp_path: Path, arm: Any, executor: Any, text: str) -> None:
    assert text in refusal(tmp_path, {"tpe": arm}, executor=executor)


def test_the_ranks_of_an_arm_are_those_that_its_evaluator_can_use(tmp_path: Path) -> None:
    text = refusal(tmp_path, {"darts": {"gpus": 64}}, executor={"ray": {"gpus": 1}})
    assert "arms.darts.evaluator: at most 4 ranks can train a trial of supernet together" in text
    assert "but arms.darts gives it 64" in text


def test_an_executor_whose_trials_hold_the_same_says_so(tmp_path: Path) -> None:
    plugin = """
from automl.contracts import Executor
class Mine(Executor):
    def check(self): ...
    def run(self, source): ...
    def close(self): ...
"""
    (tmp_path / "own_executor.py").write_text(plugin)
    text = refusal(tmp_path, {"tpe": {"cpus": 2}}, executor="own_executor:Mine")
    assert "arms.tpe: its trials all hold the same; leave cpus and gpus of arms out" in text


def test_a_study_is_another_one_only_where_an_arm_says_what_it_holds(tmp_path: Path) -> None:
    plain = load(tmp_path, {})
    assert "cpus" not in plain.identity()["arms"]["tpe"]
    other = load(tmp_path, {"tpe": {"cpus": 2}})
    assert plain.digest() != other.digest() and other == Study.from_json(other.to_json())


def test_the_forecast_counts_what_each_arm_holds(tmp_path: Path) -> None:
    clock = {"budget": {"wall_seconds": 60}}
    assert forecast(resolve(load(tmp_path, {}, **clock))).device_seconds == 60 * 3 * 2
    large = forecast(resolve(load(tmp_path, {"darts": {"cpus": 3}}, **clock)))
    assert large.device_seconds == 60 * (1 + 1 + 3) * 2
