"""The rungs of an arm's pruner reach its evaluator, and no other's."""

from __future__ import annotations

from pathlib import Path

import pytest

from automl.config import Study, load_study
from automl.contracts import UserError

STUDY = """
name: rungs
task: {{dataset: digits, metric: accuracy}}
space: {space}
evaluator: {{network: {network}}}
budget: {{trials: 3}}
arms:
  halving: {{strategy: tpe, pruner: {pruner}}}
  own: {{strategy: tpe, pruner: asha, evaluator: {{network: {{epochs: 4}}}}}}
  median: {{strategy: tpe, pruner: median}}
  darts: {{evaluator: supernet}}
  resnet: {{reference: resnet}}
"""
SPACE = """
from automl.searchspaces import nasbench201
from automl.space import Choice, Int, Space

network = nasbench201.PLUGIN.network
PLUGIN = Space({"epochs": Int(5, 30)}, network=network)
FEW = Space({"epochs": Choice([3, 12])}, network=network)
"""


def load(folder: Path, network: str, pruner: str = "asha", space: str = "nasbench201") -> Study:
    file = folder / "rungs.yaml"
    file.write_text(STUDY.format(network=network, pruner=pruner, space=space))
    return load_study(file)


def rungs(study: Study, arm: str = "halving") -> list[int] | None:
    found = study.arms[arm].evaluator
    return None if found is None else found.options.get("rungs")


def test_every_arm_has_its_own_pruners_rungs(tmp_path: Path) -> None:
    study = load(tmp_path, "{epochs: 27}", "{asha: {reduction: 3, min_resource: 2}}")
    assert rungs(study) == [2, 6, 18]
    assert rungs(study, "own") == [1, 3]
    for arm in ("random", "median", "darts", "resnet"):
        assert rungs(study, arm) is None
    assert "rungs" not in study.evaluator.options
    assert Study.from_json(study.to_json()) == study


@pytest.mark.parametrize(
    ("pruner", "expected"),
    [
        ("{asha: {reduction: 2, min_early_stopping: 1}}", [2, 4, 8]),
        ("{hyperband: {reduction: 3}}", [1, 3, 9]),
        ("{hyperband: {reduction: 2, min_resource: 2, max_resource: 8}}", [2, 4, 8]),
        ("median", None),
        ("none", None),
    ],
)
def test_rungs_are_where_the_pruner_decides(tmp_path: Path, pruner: str, expected: list[int] | None) -> None:
    assert rungs(load(tmp_path, "{epochs: 9}", pruner)) == expected


def test_the_study_may_choose_otherwise(tmp_path: Path) -> None:
    assert rungs(load(tmp_path, "{epochs: 9, schedule: cosine}")) is None
    study = load(tmp_path, "{epochs: 9, schedule: per_rung, rungs: [4]}")
    assert rungs(study) is None and study.evaluator.options["rungs"] == [4]


@pytest.mark.parametrize(("attribute", "expected"), [("PLUGIN", [1, 3, 9, 27]), ("FEW", [1, 3, 9])])
def test_epochs_from_the_space_may_be_more(
    tmp_path: Path, attribute: str, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"long_space_{attribute.lower()}"
    (tmp_path / f"{name}.py").write_text(SPACE)
    monkeypatch.syspath_prepend(tmp_path)
    text = STUDY.replace("  darts: {{evaluator: supernet}}\n", "")
    file = tmp_path / "rungs.yaml"
    file.write_text(text.format(network="{epochs: 9}", pruner="asha", space=f"{name}:{attribute}"))
    assert rungs(load_study(file)) == expected


def test_wrong_rungs_are_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rungs must be rising positive epochs"):
        load(tmp_path, "{rungs: [3, 1]}")
    with pytest.raises(UserError, match="cosine must have no rungs"):
        load(tmp_path, "{schedule: cosine, rungs: [1]}")
