"""The JSON Schema of study files agrees with the loader: good files pass, wrong ones do not."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from automl.config import study
from automl.config.keys import KEYS
from automl.config.schema import study_schema
from automl.config.study import Part, Study
from automl.contracts import Options, TaskSpec, data_spec

STUDIES = sorted((Path(__file__).parents[2] / "studies").glob("*.yaml"))
GOOD = """
name: mine
task: {metric: loss, direction: minimize}
evaluator: {function: {call: "my_code:objective"}}
space: "my_space:PLUGIN"
budget: {trials: 3}
"""
WRONG = {
    "a name with capitals": {"name": "Mine"},
    "an unknown key": {"budgets": {"trials": 3}},
    "no metric": {"task": {"dataset": "digits"}},
    "metric and metrics": {"task": {"metric": "accuracy", "metrics": ["accuracy"]}},
    "an unknown direction": {"task": {"metric": "loss", "direction": "down"}},
    "an unknown evaluator": {"evaluator": "netwrk"},
    "two evaluators": {"evaluator": {"network": {}, "pipeline": {}}},
    "an unknown option": {"evaluator": {"network": {"epoch": 3}}},
    "an option of the wrong type": {"evaluator": {"network": {"epochs": "three"}}},
    "no limit": {"budget": {}},
    "a limit of zero": {"budget": {"trials": 0}},
    "no seeds": {"seeds": []},
    "a misspelt strategy": {"arms": {"tpe": {"strategy": "tpee"}}},
    "an unknown key of an arm": {"arms": {"tpe": {"sampler": "tpe"}}},
    "an arm with capitals": {"arms": {"TPE": {"strategy": "tpe"}}},
    "an unknown space": {"space": "nasbench202"},
    "a record that is not known": {"record": "arms"},
    "the folder, which is no key of the file": {"source": "."},
}


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = study_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def plain(text: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(text)))
    return data


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_shipped_studies_are_valid(path: Path, validator: Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(plain(path.read_text()))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"seeds": 3},
        {"seeds": [0, 7]},
        {"task": {"metrics": {"loss": "minimize", "accuracy": None}}},
        {"space": {"name": "nasbench201", "fix": {"edge_0_1": "none"}}},
        {"arms": {"a": {"strategy": {"grid": None}}, "b": {"strategy": "my_package.search:PLUGIN"}}},
        {"evaluator": {"my_package.evaluators:Mine": {"anything": 1}}},
        {"record": "searches", "final": {"seeds": 0}},
        {"memory": "last"},
        {"memory": ["nas-digits-3"]},
        {"memory": {"from": "all", "top": 2}, "arms": {"a": {"strategy": "tpe", "twin": True}}},
        {"arms": {"a": {"strategy": "tpe", "memory": "nas-digits"}, "b": {"memory": False}}},
    ],
    ids=str,
)
def test_shorthands_are_valid(change: dict[str, Any], validator: Draft202012Validator) -> None:
    assert [error.message for error in validator.iter_errors(plain(GOOD) | change)] == []


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_files_are_refused(change: dict[str, Any], validator: Draft202012Validator) -> None:
    assert not validator.is_valid(plain(GOOD) | change)


def test_every_key_has_a_meaning_and_a_valid_example(validator: Draft202012Validator) -> None:
    for part, keys in KEYS.items():
        fields = {field.alias or name for name, field in part.model_fields.items() if field.repr}
        assert set(keys) - {"metric", "direction", "baseline", "url"} == fields, part
    for name, key in KEYS[Study].items():
        assert validator.is_valid(plain(GOOD) | {name: key.example}), name


def test_every_part_is_in_the_schema() -> None:
    parts = {
        value
        for module in (study, data_spec)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Options)
    }
    assert parts - {Options, Part, study.Looks, data_spec.Grown} == set(KEYS)
    assert TaskSpec.__name__ in study_schema()["$defs"]


def test_user_plugins_are_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strategies").mkdir()
    (tmp_path / "strategies" / "broken.py").write_text('"""A strategy that fails."""\nPLUGIN = 1 / 0\n')
    monkeypatch.setenv("AUTOML_PLUGINS", str(tmp_path))
    validator = Draft202012Validator(study_schema())
    assert validator.is_valid(plain(GOOD) | {"arms": {"a": {"strategy": {"broken": {"x": 1}}}}})


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    from automl.cli.stores import schema

    schema()
    assert json.loads(capsys.readouterr().out)["required"] == ["name", "task", "evaluator", "budget"]
