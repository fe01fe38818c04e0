"""Studies built in code keep to the rules of study files, in the same words, and become such files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import automl
from automl.config import load_study
from automl.contracts import Config, UserError
from automl.space import Choice, Constraint, Float, Int, Space

SPACE = {
    "lr": Float(1e-5, 0.1, log=True),
    "depth": Int(0, 4),
    "act": Choice(["relu", "1e3", True, None], when={"depth": [1, 2]}),
}


def objective(config: Config) -> float:
    return float(config["lr"] or 0)


KEYS: dict[str, Any] = {
    "name": "mine",
    "task": {"metric": "loss", "direction": "minimize"},
    "space": SPACE,
    "evaluator": objective,
    "budget": {"trials": 3},
    "arms": {"tpe": {"strategy": "tpe"}},
}
FILE = """
name: mine
task: {metric: loss, direction: minimize}
space:
  parameters:
    lr: {type: float, low: 0.00001, high: 0.1, log: true}
    depth: {type: int, low: 0, high: 4}
    act: {type: choice, options: [relu, "1e3", true, null], when: {depth: [1, 2]}}
evaluator: {function: {call: "MODULE:objective"}}
budget: {trials: 3}
arms: {tpe: {strategy: tpe}}
"""


def test_code_and_file_are_one_study(tmp_path: Path) -> None:
    (tmp_path / "file.yaml").write_text(FILE.replace("MODULE", __name__))
    study = automl.Study(**KEYS)
    loaded = automl.Study.load(tmp_path / "file.yaml", trust=True)
    again = load_study(study.write(tmp_path / "written.yaml"), trust=True)
    assert study.digest() == loaded.digest() == again.digest() == automl.Study.of(KEYS).digest()
    assert again.space == study.checked.space and "<Study mine: random, tpe" in repr(study)
    read = yaml.safe_load(loaded.to_yaml())
    assert automl.Study.of(read, folder=tmp_path, trust=True).digest() == study.digest()


def test_a_shipped_study_is_a_dict_as_well(tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "studies" / "quickstart.yaml"
    file = automl.Study.load(shipped)
    assert automl.Study.of(file.to_dict()).digest() == file.digest()


def test_overrides_are_part_of_what_is_written(tmp_path: Path) -> None:
    study = automl.Study(**KEYS)
    path = study.write(tmp_path / "study.yaml")
    changed = automl.Study.load(path, ["budget.trials=7"], trust=True)
    assert changed.checked.budget.trials == 7 and changed != study
    assert automl.Study.load(changed.write(tmp_path / "b.yaml"), trust=True).checked.budget.trials == 7


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown key": (
        {"budgets": {}},
        "study: budgets: must be a known key, but got 'budgets'; did you mean",
    ),
    "a missing key": ({"budget": {}}, "study: budget: at least one limit must be given"),
    "a wrong type": ({"budget": {"trials": "3"}}, "study: budget.trials: must be an integer, but got '3'"),
    "a value below": ({"budget": {"trials": 0}}, "study: budget.trials: must be greater than"),
    "an unknown strategy": ({"arms": {"a": {"strategy": "tpee"}}}, "study: arms.a.strategy: .*mean 'tpe'"),
    "a wrong range": ({"space": {"x": Int(1, 2), "y": 3}}, "a parameter must be a Float, an Int or a Choice"),
    "a space of one kind": ({"space": {"parameters": {}}}, "study: space.parameters: must be {name:"),
    "a parameter of none": ({"space": {"parameters": {"x": 1}}}, r"study: space.parameters.x: must be {type"),
    "an unknown type": ({"space": {"parameters": {"x": {"type": "real"}}}}, "must have type float, int or"),
    "an object": ({"equivalent": object()}, "study: equivalent: must be a text, a finite number.*object"),
    "an infinite number": ({"equivalent": float("inf")}, "study: equivalent: must be .*, but got inf"),
    "a key that is no text": ({"budget": {1: 2}}, "study: budget: keys must be texts, but got 1"),
    "a large integer": ({"seeds": [2**70]}, r"study: seeds\[0\]: an integer must fit 64 bits"),
    "a baseline twice": (
        {"baseline": False, "arms": {"random": {"strategy": "random"}}},
        "study: baseline: ",
    ),
    "no arm at all": (
        {"baseline": False, "arms": {}},
        "study: baseline: must be true for a study with no arm",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_name_their_key(mistake: str) -> None:
    change, words = MISTAKES[mistake]
    with pytest.raises(UserError, match=words):
        automl.Study(**{**KEYS, **change})


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(UserError) as caught:
        automl.Study(**{**KEYS, "budget": {"trials": 0}, "seeds": [1, 1], "record": "all"})
    keys = {line.split(": ")[1] for line in str(caught.value).splitlines()}
    assert keys == {"record", "budget.trials", "seeds"}


def test_what_a_space_has_besides_parameters_must_be_named() -> None:
    rule = Constraint(lambda config: True, "as ever")
    for space in (Space(SPACE, constraints=[rule]), Space({"x": Float(0, 1)}, default={"x": 0.1})):
        with pytest.raises(UserError, match="study: space: a Space with constraints"):
            automl.Study(**{**KEYS, "space": space})
    assert automl.Study(**{**KEYS, "space": Space(SPACE)}).digest() == automl.Study(**KEYS).digest()


def test_no_baseline_is_another_study_without_the_arm() -> None:
    study = automl.Study(**KEYS, baseline=False)
    assert list(study.checked.arms) == ["tpe"] and "baseline: false" in study.to_yaml()


def test_spaces_of_arms_are_their_own() -> None:
    arms = {"tpe": {"strategy": "tpe", "space": {"lr": Float(0.01, 0.1)}}}
    arm = automl.Study(**{**KEYS, "arms": arms}).checked.arms["tpe"]
    assert arm.space is not None and [one["name"] for one in arm.space.parameters] == ["lr"]
