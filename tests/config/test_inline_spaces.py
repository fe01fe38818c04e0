"""Spaces that a study writes itself, and studies without the arm `random`."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.config import Study, load_study
from automl.config.schema import study_schema
from automl.contracts import UserError
from automl.spaces import load_space

STUDY = """
name: mine
task: {metric: loss, direction: minimize}
evaluator: {function: {call: "math:sqrt"}}
budget: {trials: 3}
arms: {tpe: {strategy: tpe}}
space: SPACE
"""


def load(folder: Path, space: str, more: str = "") -> Study:
    (folder / "study.yaml").write_text(STUDY.replace("SPACE", space) + more)
    return load_study(folder / "study.yaml")


def test_parameters_are_a_space_in_their_order(tmp_path: Path) -> None:
    text = "{parameters: {b: {type: int, low: 0, high: 3}, a: {type: choice, options: [x, y], when: {b: 1}}}}"
    study = load(tmp_path, text)
    assert study.space is not None and study.space.name == "inline"
    assert list(load_space(study.space.model_dump()).parameters) == ["b", "a"]
    assert Study.from_json(study.to_json()) == study
    narrowed = load(tmp_path, text[:-1] + ", fix: {b: 1}, narrow: {a: [y]}}")
    assert narrowed.space is not None
    assert load_space(narrowed.space.model_dump()).default_config() == {"b": 1, "a": "y"}


def test_two_ways_to_write_a_parameter_are_one_study(tmp_path: Path) -> None:
    short = load(tmp_path, "{parameters: {x: {type: float, low: 0, high: 1}}}")
    long = load(tmp_path, "{name: inline, parameters: {x: {type: float, low: 0.0, high: 1.0, log: false}}}")
    other = load(tmp_path, "{parameters: {x: {type: float, low: 0, high: 2}}}")
    assert short.digest() == long.digest() != other.digest()


def test_the_order_of_parameters_belongs_to_the_identity(tmp_path: Path) -> None:
    x, y = "x: {type: float, low: 0, high: 1}", "y: {type: float, low: 0, high: 1}"
    first, second = (load(tmp_path, f"{{parameters: {{{one}}}}}") for one in (f"{x}, {y}", f"{y}, {x}"))
    assert first.digest() != second.digest()


def test_a_named_space_is_recorded_as_ever(tmp_path: Path) -> None:
    study = load(tmp_path, "tabular")
    assert study.to_json()["space"] == {"name": "tabular", "fix": {}, "narrow": {}}


WRONG = {
    "{parameters: {}}": "space.parameters: must be {name: {type: float",
    "{parameters: 3}": "space.parameters: must be {name",
    "{parameters: {x: 3}}": "space.parameters.x: must be {type: float",
    "{parameters: {x: {type: float, low: 2, high: 1}}}": "space.parameters: low <= high must hold",
    "{parameters: {x: {type: float, low: 0, high: 1, size: 3}}}": "must have type float, int or choice",
    "{parameters: {1x: {type: int, low: 0, high: 1}}}": "a parameter's name must match",
    "{parameters: {x: {type: int, low: 0, high: 1, when: {y: 1}}}}": "must name parameters before it",
    "{parameters: {x: {type: int, low: 0, high: 1}}, fix: {x: 5}}": "fix",
}


@pytest.mark.parametrize("space", WRONG)
def test_wrong_parameters_are_told_with_their_line(space: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"study.yaml:7: .*{WRONG[space]}"):
        load(tmp_path, space)


def test_no_baseline(tmp_path: Path) -> None:
    space = "{parameters: {x: {type: float, low: 0, high: 1}}}"
    with_it, without = load(tmp_path, space), load(tmp_path, space, "baseline: false\n")
    assert list(with_it.arms) == ["random", "tpe"] and list(without.arms) == ["tpe"]
    assert load(tmp_path, space, "baseline: true\n") == with_it
    for wrong in ("baseline: no thanks\n", "baseline: 0\n"):
        with pytest.raises(UserError, match="baseline: must be true or false"):
            load(tmp_path, space, wrong)


def test_the_schema_knows_both() -> None:
    schema = study_schema()
    assert schema["properties"]["baseline"]["type"] == "boolean"
    written = schema["$defs"]["SpaceSpec"]["anyOf"][-1]
    assert written["properties"]["parameters"]["type"] == "object" and "required" not in written
