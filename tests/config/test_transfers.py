"""The key `transfer` of a study file: shorthands, names, and datasets that cannot be transferred to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from automl.config import Study, load_study
from automl.contracts import SplitSpec, UserError

TEXT = """
name: transferred
task: {{dataset: iris, metric: accuracy, split: {{test: 0.3, seed: 4}}}}
space: tabular
evaluator: {evaluator}
budget: {{trials: 2}}
transfer: {transfer}
{rest}
"""


def study(folder: Path, transfer: str, rest: str = "", evaluator: str = "pipeline") -> Study:
    path = folder / "transferred.yaml"
    path.write_text(TEXT.format(transfer=transfer, rest=rest, evaluator=evaluator))
    return load_study(path)


def test_without_the_key_the_digest_is_as_before_there_was_one(tmp_path: Path) -> None:
    without = study(tmp_path, "")
    assert without.transfer == [] and without.digest() == study(tmp_path, "[]").digest()
    assert without.digest() != study(tmp_path, "[wine]").digest()


def test_names_stand_for_datasets_with_the_split_of_the_study(tmp_path: Path) -> None:
    (tmp_path / "Broad Beans.csv").write_text("a,kind\n1,x\n")
    written = "[breast_cancer, Broad Beans.csv, {dataset: wine, name: grapes, split: {test: 0.5}}]"
    found = study(tmp_path, written, "final: {seeds: 2}")
    assert [one.name for one in found.transfer] == ["breast-cancer", "broad-beans", "grapes"]
    assert found.transfer[1].dataset == str(tmp_path / "Broad Beans.csv")
    tasks = [one.task(found.task) for one in found.transfer]
    assert [task.split for task in tasks[:2]] == [SplitSpec(test=0.3, seed=4)] * 2
    assert tasks[2].split == SplitSpec(test=0.5)
    assert all(task.metrics == found.task.metrics for task in tasks)
    assert Study.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_one_dataset_needs_no_list(tmp_path: Path) -> None:
    assert study(tmp_path, "wine").transfer == study(tmp_path, "{dataset: wine}").transfer


def test_columns_of_the_studys_split_belong_to_its_own_data(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("a,who,target\n1,2,x\n")
    path = tmp_path / "transferred.yaml"
    text = TEXT.format(transfer="[wine]", rest="", evaluator="pipeline")
    path.write_text(text.replace("dataset: iris", "dataset: own.csv").replace("seed: 4", "group: who"))
    found = load_study(path)
    assert found.task.split.group == "who"
    assert found.transfer[0].task(found.task).split.group is None


def test_the_folder_of_a_file_is_no_part_of_the_digest(tmp_path: Path) -> None:
    digests = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "beans.csv").write_text("a,kind\n1,x\n")
        digests.add(study(tmp_path / name, "[beans.csv]").digest())
    assert len(digests) == 1


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("3", "transfer: must be a list of datasets"),
        ("[7]", r"transfer\[0\]: must be a dataset's name, a file or {dataset: …}, but got 7"),
        ("[nothing]", r"transfer\[0\]: .*'nothing'.*known: .*wine"),
        ("[files/no.csv]", r"transfer\[0\]: the file must exist, but 'files/no.csv'"),
        ("[{target: kind}]", r"transfer\[0\].*: .*dataset"),
        ("[{dataset: wine, colour: 1}]", r"transfer\[0\]\.colour: must be a known key"),
        ("[{dataset: wine, name: 'A B'}]", r"transfer\[0\]\.name: .*'A B'"),
        ("[wine, wine]", r"transfer\[1\]: names must differ, but got 'wine' more than once"),
        ("[wine, {dataset: wine, name: b}]", r"transfer\[1\]\.dataset: must be other data .*'wine' again"),
        ("[iris]", r"transfer\[0\]: must be other data than the study's .*'iris' again"),
        ("[{dataset: iris, name: b, split: {seed: 5}}]", "must be other data than the study's"),
        (str(["wine"] * 21), "transfer: must have at most 20 datasets, but has 21"),
        ("[wine]\nfinal: {seeds: 0}", "transfer: needs retrainings"),
    ],
)
def test_mistakes(tmp_path: Path, written: str, told: str) -> None:
    with pytest.raises(UserError, match=told):
        study(tmp_path, written)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        study(tmp_path, "[7, nothing, wine, wine]", "final: {seeds: 0}")
    lines = str(caught.value).splitlines()
    assert len(lines) == 5, lines


def test_an_objective_of_ones_own_trains_on_no_data(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="evaluators that train on data, but evaluator function needs none"):
        study(tmp_path, "[wine]", evaluator="{function: {call: 'automl.digest:digest'}}")
