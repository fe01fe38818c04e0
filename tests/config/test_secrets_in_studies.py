"""Parameters, choices and options that look like secrets are told: they are kept as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from automl.config import load_study, resolve, secret_values

CODE = """
from automl.space import Choice, Float, Int, Space
SPACE = Space({
    "db_password": Choice(("one", "two")),
    "dsn": Choice(("postgresql://me:hunter2@db/x", "none")),
    "header": Choice(("Authorization: Bearer abcdef123456", "none")),
    "token_mixer": Choice(("attention", "mlp")),
    "max_tokens": Int(1, 9),
    "secret": Float(0.0, 1.0),
})
def f(config, context): return 1.0
"""
STUDY = """
name: s
task: {metric: loss, direction: minimize}
space: "secretive_code:SPACE"
evaluator: {function: {call: "secretive_code:f"}}
budget: {trials: 2}
seeds: 1
arms: {random: {strategy: random}}
final: {seeds: 0}
"""


def told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (folder / "secretive_code.py").write_text(CODE)
    (folder / "s.yaml").write_text(STUDY)
    return list(secret_values(resolve(load_study(folder / "s.yaml"))))


def test_parameters_and_choices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = told(tmp_path, monkeypatch)
    assert [line.partition(" of arms.random")[0] for line in lines] == [
        f"warning: the parameter {name}" for name in ("db_password", "dsn", "header")
    ]
    assert "hunter2" not in str(lines) and "let code read it from the environment" in lines[0]


def test_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = resolve(load_study(_plain(tmp_path)))
    assert not list(secret_values(study))
    inner = {"call": "os:getcwd", "api_key": "abc", "urls": ["x", "https://me:hunter2@db/"], "tokens": 12}
    changed = study.study.to_json() | {"evaluator": {"name": "function", "options": inner}}
    study = type(study)(type(study.study).from_json(changed), study.protocol, study.arms, study.executor)
    found = [line.split()[1] for line in secret_values(study)]
    assert found == ["evaluator.options.api_key", "evaluator.options.urls[1]"]


def _plain(folder: Path) -> Path:
    file = folder / "plain.yaml"
    file.write_text(
        "name: p\ntask: {metric: loss, direction: minimize}\nspace: resnet\n"
        "evaluator: {function: {call: 'os:getcwd'}}\nbudget: {trials: 1}\nfinal: {seeds: 0}\n"
    )
    return file
