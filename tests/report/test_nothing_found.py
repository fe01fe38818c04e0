"""A campaign without a result says which trial failed why: in the terminal, on export, by its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from in_process import automl

CODE = """
from automl.space import Int, Space
SPACE = Space({"n": Int(1, 1000)})
def fails(config, context):
    raise ValueError("the data are gone\\nfor good " + "x" * 5000)
def gives_up(config, context):
    import optuna
    raise optuna.TrialPruned("hopeless")
def leaves(config, context):
    raise SystemExit(4)
def sometimes(config, context):
    if config["n"] % 2:
        raise ValueError("odd")
    return 1.0
"""
STUDY = """
name: fruitless
task: {metric: loss, direction: minimize}
space: "fruitless_code:SPACE"
evaluator: {function: {call: "fruitless_code:fails"}}
budget: {trials: 6}
seeds: 1
arms: {random: {strategy: random}}
executor: local
final: {seeds: 0}
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("fails", "fruitless-1/random/0/0 failed: ValueError: the data are gone for good"),
        ("leaves", "fruitless-1/random/0/0 failed: the evaluation called sys.exit(4)"),
        ("gives_up", "none of 6 trials has a result (6 pruned, 0 failed); random with seed 0 ended: budget"),
        ("nowhere", "fruitless-1/random/0/0 failed: UserError: fruitless_code:nowhere must exist"),
    ],
)
def test_it_ends_as_a_failure_with_the_reason(
    objective: str,
    words: str,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (workspace / "fruitless_code.py").write_text(CODE)
    (workspace / "fruitless.yaml").write_text(STUDY)
    call = f"evaluator.function.call=fruitless_code:{objective}"
    assert automl(monkeypatch, "run", "fruitless.yaml", "--progress", "quiet", "--set", call) == 1
    shown = capsys.readouterr()
    assert "fruitless-1 found nothing: none of" in shown.err and words in shown.err
    assert len(shown.err) < 1500 and "automl export" not in shown.out
    assert automl(monkeypatch, "export", "fruitless", "-o", "best.yaml") == 2
    assert words in capsys.readouterr().err
    assert automl(monkeypatch, "report", "fruitless") == 0
    told = " ".join(capsys.readouterr().out.split())
    reason = words.partition(" failed: ")[2]
    assert reason in told and ("Failed trials:" in told) == bool(reason)
    assert automl(monkeypatch, "run", "fruitless.yaml", "--json", "--set", call) == 1
    assert json.loads(capsys.readouterr().out)["campaign"] == "fruitless-2"


@pytest.mark.slow
def test_a_campaign_with_a_result_is_a_success_that_names_its_failures(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "fruitless_code.py").write_text(CODE)
    (workspace / "fruitless.yaml").write_text(STUDY)
    call = "evaluator.function.call=fruitless_code:sometimes"
    assert automl(monkeypatch, "run", "fruitless.yaml", "--progress", "quiet", "--set", call) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Failed trials:" in told and "ValueError: odd (fruitless-1/random/0/" in told
    assert "automl export fruitless-1" in told


@pytest.mark.slow
def test_an_arm_without_a_result_ends_as_a_failure_when_all_is_reported(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace / "fruitless_code.py").write_text(CODE)
    (workspace / "fruitless.yaml").write_text(
        STUDY.replace("fruitless_code:fails", "fruitless_code:sometimes")
    )
    broken = 'arms.broken={evaluator: {function: {call: "fruitless_code:fails"}}, strategy: random}'
    assert automl(monkeypatch, "run", "fruitless.yaml", "--progress", "quiet", "--set", broken) == 1
    shown = capsys.readouterr()
    assert (
        "fruitless-1 has no result of broken, so that it says nothing about it: broken: none of" in shown.err
    )
    assert "fruitless-1/broken/0/0 failed: ValueError: the data are gone" in shown.err
    assert "automl export fruitless-1" in shown.out, "what the others have found can be used"
