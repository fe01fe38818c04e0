"""Studies of benchmark files: what they may leave out, and mistakes that `automl check` tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_benchmark
from in_process import automl

from automl.config import Study, load_study, resolve
from automl.contracts import UserError
from automl.forecast import forecast

LOOKUP = {"file": "toy.npz", "value": "value_3", "cost": "cost_3", "fresh": "fresh", "test": "test"}


def write(folder: Path, **changed: Any) -> Path:
    lookup = {**LOOKUP, **changed.pop("lookup", {})}
    spec = {
        "name": "toytable",
        "task": {"metric": "accuracy"},
        "evaluator": {"lookup": {key: value for key, value in lookup.items() if value is not None}},
        "budget": {"device_seconds": 200},
        **changed,
    }
    if not (folder / "toy.npz").exists():
        toy_benchmark.write(folder / "toy.npz")
    path = folder / "toytable.yaml"
    path.write_text(json.dumps(spec))
    return path


def test_what_may_be_left_out(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, arms={"random": {"strategy": "random"}}))
    assert (study.record, study.final.seeds) == ("searches", 3)
    assert study.space is not None and study.space.name == str(tmp_path / "toy.npz")
    assert study.evaluator.options["file"] == str(tmp_path / "toy.npz")
    assert Study.from_json(study.to_json()) == study
    cost = forecast(resolve(study))
    assert (cost.space_size, cost.simulated, cost.wall_seconds) == (12, True, None)
    assert any("simulated clock" in line for line in cost.lines())


def test_what_is_written_stays(tmp_path: Path) -> None:
    study = load_study(
        write(tmp_path, record="trials", final={"seeds": 1}, space={"name": "toy.npz"}, seeds=500)
    )
    assert (study.record, study.final.seeds, study.seeds) == ("trials", 1, list(range(500)))
    without = load_study(write(tmp_path, lookup={"fresh": None, "test": None}))
    assert without.final.seeds == 0


def test_steps_of_yaml_are_numbers(tmp_path: Path) -> None:
    steps = {"value": {1: "value_1", 3: "value_3"}, "cost": {1: "cost_1", 3: "cost_3"}}
    study = load_study(write(tmp_path, lookup=steps))
    assert Study.from_json(study.to_json()) == study


def test_the_folder_of_the_file_does_not_change_the_study(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = (load_study(write(tmp_path / name)) for name in ("a", "b"))
    assert one.digest() == other.digest()
    assert one.digest() != load_study(write(tmp_path / "a", lookup={"value": "value_2"})).digest()


def test_a_file_below_automl_data_keeps_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    toy_benchmark.write(tmp_path / "data/toys/far.npz")
    monkeypatch.setenv("AUTOML_DATA", str(tmp_path / "data"))
    study = load_study(write(tmp_path, lookup={"file": "far.npz"}))
    assert study.evaluator.options["file"] == "far.npz"
    assert study.space is not None and study.space.name == "far.npz"


@pytest.mark.parametrize(
    ("changed", "place", "words"),
    [
        ({"lookup": {"value": "value_9"}}, "evaluator.lookup.value", "must be a column of toy.npz"),
        ({"lookup": {"file": "no.npz"}}, "evaluator.lookup.file", "was not found"),
        ({"lookup": {"file": 3}}, "evaluator.lookup.file", "must be text"),
        ({"lookup": {"value": {"x": "value_1"}}}, "evaluator.lookup.value", "must be"),
        ({"lookup": {"extra": 1}}, "evaluator.lookup.extra", "must be a known key"),
        ({"lookup": {"fresh": None}, "final": {"seeds": 2}}, "final.seeds", "the option fresh"),
        ({"space": "nasbench201"}, "evaluator.lookup.file", "must be those of the table"),
        ({"space": {"name": "toy.npz", "fix": {"depth": 7}}}, "space.fix", "must be one of"),
        ({"space": "other.npz"}, "space", "was not found"),
        (
            {"arms": {"resnet": {"reference": "resnet"}}},
            "evaluator.lookup.file",
            "must be those of the table",
        ),
    ],
)
def test_mistakes(changed: dict[str, Any], place: str, words: str, tmp_path: Path) -> None:
    path = write(tmp_path, **changed)
    with pytest.raises(UserError) as error:
        load_study(path)
    assert any(f" {place}" in line and words in line for line in str(error.value).splitlines()), error.value


def test_mistakes_of_several_columns_at_once(tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        load_study(write(tmp_path, lookup={"value": "a", "cost": "b", "fresh": "c", "test": "d"}))
    assert len(str(error.value).splitlines()) == 4


@pytest.mark.parametrize("how", ["cut", "negative", "nan", "shape"])
def test_bad_files_end_the_check_without_traceback(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.arange(toy_benchmark.ROWS)
    changed = {
        "negative": {"cost_3": np.where(rows == 3, -1.0, 1.0)},
        "nan": {"cost_3": np.where(rows == 3, np.nan, 1.0)},
        "shape": {"value_3": np.ones(4)},
        "cut": {},
    }[how]
    file = toy_benchmark.write(tmp_path / "toy.npz", **changed)
    if how == "cut":
        file.write_bytes(file.read_bytes()[:700])
    assert automl(monkeypatch, "check", str(write(tmp_path))) == 2
    told = capsys.readouterr().err
    assert "Traceback" not in told and "evaluator.lookup" in told
