"""Objectives that are functions: what makes their identity, and where they can run."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

import automl
from automl.api.sources import source_of
from automl.contracts import Config, UserError

SPACE = {"x": automl.Float(0, 1)}
KEYS: dict[str, Any] = {
    "name": "mine",
    "task": {"metric": "loss", "direction": "minimize"},
    "space": SPACE,
    "budget": {"trials": 1},
    "seeds": 1,
}


def importable(config: Config) -> float:
    return float(config["x"] or 0)


def test_a_function_of_a_module_is_named() -> None:
    study = automl.Study(evaluator=importable, **KEYS)
    assert study.to_dict()["evaluator"] == {"function": {"call": f"{__name__}:importable"}}
    assert study.checked.source == str(Path(__file__).parent)
    isolated = automl.Study(evaluator=importable, executor={"local": {"isolate": True}}, **KEYS)
    assert isolated.checked.executor.options == {"isolate": True}


def test_a_function_inside_another_is_kept_by_its_source() -> None:
    def inner(config: Config) -> float:
        return 2 * float(config["x"] or 0)  # not a part of it

    options = automl.Study(evaluator=inner, **KEYS).to_dict()["evaluator"]["automl.api.given:Given"]
    assert "return 2 * float" in options["source"] and "not a part" not in options["source"]


@pytest.mark.parametrize(
    ("executor", "more"),
    [
        ({"local": {"isolate": True}}, {}),
        ({"ray": {"trials_at_once": 2}}, {}),
        ("local", {"trial": {"memory": "1GiB"}}),
    ],
    ids=["isolated", "ray", "limited memory"],
)
def test_it_is_refused_where_trials_run_in_other_processes(executor: Any, more: dict[str, Any]) -> None:
    key = "trial.memory" if more else "executor"
    with pytest.raises(UserError, match=rf"study: {key}: trials must run in this process for the objective"):
        automl.Study(evaluator=lambda config: config["x"], executor=executor, **more, **KEYS)


def digest_of(text: str, name: str = "objective") -> str:
    """The digest of a study whose objective is defined by a script's text."""
    space: dict[str, Any] = {"__name__": "__main__"}
    exec(compile(text, "script", "exec"), space)
    return automl.Study(evaluator=space[name], **KEYS).digest()


BASE = """
import math
SCALE = 2
def helper(x): return x * SCALE
class Model:
    def run(self, x): return helper(x)
def objective(config, *, shift=1): return Model().run(config["x"]) + math.sqrt(shift)
unused = 1
"""
CHANGED = {
    "the function": ("math.sqrt(shift)", "math.cos(shift)"),
    "a constant": ("SCALE = 2", "SCALE = 3"),
    "a function that it calls": ("return x * SCALE", "return x + SCALE"),
    "a method of a class": ("return helper(x)", "return -helper(x)"),
    "a default": ("shift=1", "shift=2"),
}
SAME = {
    "what it does not use": ("unused = 1", "unused = 2"),
    "a comment": ("import math", "import math  # as ever"),
    "another function": ("unused = 1", "def other(): return 3"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_changed_function_is_a_changed_identity(change: str) -> None:
    before, after = CHANGED[change]
    assert before in BASE
    assert digest_of(BASE) != digest_of(BASE.replace(before, after))


@pytest.mark.parametrize("change", SAME)
def test_what_changes_no_result_changes_no_identity(change: str) -> None:
    before, after = SAME[change]
    assert before in BASE
    assert digest_of(BASE) == digest_of(BASE.replace(before, after))


def test_variables_of_functions_around_it_belong_to_it() -> None:
    def made(scale: float) -> Callable[[Config], float]:
        return lambda config: scale * float(config["x"] or 0)

    digests = {automl.Study(evaluator=made(scale), **KEYS).digest() for scale in (1.0, 2.0, 1.0)}
    assert len(digests) == 2


def test_lambdas_are_told_apart_and_layout_is_not() -> None:
    several = [lambda config: config["x"], lambda config: -config["x"]]
    assert len({automl.Study(evaluator=one, **KEYS).digest() for one in several}) == 2
    one = lambda config: config["x"] + 1  # noqa: E731
    other = lambda config: (  # noqa: E731
        config["x"] + 1
    )
    assert source_of(one).text.startswith(("lambda config", "compiled"))
    assert automl.Study(evaluator=one, **KEYS).to_dict()["evaluator"].keys() == {"automl.api.given:Given"}
    assert callable(other)


def test_what_cannot_be_told_is_named_and_secrets_are_masked() -> None:
    table, api_key = object(), "sk-0123456789012345678901"

    def uses_both(config: Config) -> float:
        return float(id(table) > 0) + len(api_key) + math.pi

    found = source_of(uses_both)
    assert found.untold == ("table (object)", "api_key (masked: it looks like a secret)")
    assert found.uses["api_key"] == "***"
    assert found.uses["math"] == "math" and "sk-012" not in str(found)


def test_what_only_sounds_like_a_secret_is_kept() -> None:
    text = "def tokenize(x): return x\nmax_tokens = 512\ndef objective(config): return tokenize(max_tokens)"
    assert digest_of(text) != digest_of(text.replace("512", "1024"))
    assert digest_of(text) != digest_of(text.replace("return x", "return -x"))


SCRIPT = """
import sys
import automl

FACTOR = {factor}

def objective(config):
    return FACTOR * config["x"] ** 2

if __name__ == "__main__":
    campaign = automl.minimize(
        objective, {{"x": automl.Float(-1, 1)}}, trials={trials}, seeds=1, progress="log"
    )
    print(campaign.name, len(campaign.trials()))
"""


@pytest.mark.slow
def test_a_script_grows_its_campaign_until_its_objective_changes(tmp_path: Path) -> None:
    def run(**values: int) -> tuple[str, str]:
        (tmp_path / "script.py").write_text(SCRIPT.format(**values))
        command = [sys.executable, "script.py"]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=PATIENCE
        )
        return done.stdout.strip(), done.stderr

    assert run(factor=1, trials=2)[0] == "objective-1 4"
    assert run(factor=1, trials=3)[0] == "objective-1 6"
    out, told = run(factor=2, trials=3)
    assert out == "objective-2 6"
    assert "objective-1 belongs to another study: evaluator.options.uses.FACTOR: from 1 to 2" in told


def test_another_process_is_told_that_it_has_no_such_function(tmp_path: Path) -> None:
    path = automl.Study(evaluator=lambda config: config["x"], **KEYS).write(tmp_path / "mine.yaml")
    text = f"from automl.config import load_study; load_study({str(path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE
    )
    assert "was a function of a program or notebook" in done.stderr
