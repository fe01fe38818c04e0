"""Code that a study names: only from where it must be, and no file beside a study takes a library's place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import automl
from patience import PATIENCE

from automl.ledger import Ledger, resolve_store
from automl.schedule import tick
from automl.storage import open_ledger

CODE = """
from pathlib import Path
import numpy as np
from automl.data import Dataset
from automl.space import Float, Space

def build(*args, **kwargs):
    Path("called").write_text("build")
    raise ValueError("tried")

SPACE = Space({"x": Float(0.0, 1.0)}, network=build)

def data():
    Path("called").write_text("data")
    return Dataset(np.ones((40, 1, 8, 8)), np.arange(40) % 2, "image")

def objective(config, context):
    Path("called").write_text("objective")
    return config["x"]
"""
STUDY = """
name: named
task: {%s}
space: "%s:SPACE"
evaluator: %s
budget: {trials: 2}
seeds: 1
arms: {random: {strategy: random}}
executor: %s
final: {seeds: 0}
"""
OBJECTIVE = "metric: loss, direction: minimize"


def study(
    folder: Path, task: str, evaluator: str, *, code: str = "named_code", executor: str = "local"
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "named.yaml"
    file.write_text(STUDY % (task, code, evaluator, executor))
    return file


@pytest.mark.parametrize(
    ("task", "evaluator", "told", "called"),
    [
        (OBJECTIVE, '{function: {call: "named_code:objective"}}', "", ""),
        ('dataset: "named_code:data", metric: accuracy', "network", "are made by named_code:data", "build"),
        ("dataset: digits, metric: accuracy", "network", "the code of random is yours", "build"),
        (
            'dataset: "named_code:data", metric: accuracy',
            '{function: {call: "named_code:objective"}}',
            "are made by named_code:data",
            "data",
        ),
    ],
)
def test_check_calls_nothing(
    task: str,
    evaluator: str,
    told: str,
    called: str,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (workspace / "named_code.py").write_text(CODE)
    file = study(workspace, task, evaluator)
    assert automl(monkeypatch, "check", str(file)) == 0
    out, err = capsys.readouterr()
    assert "is valid" in out and told in err and not (workspace / "called").exists()
    if called:
        automl(monkeypatch, "check", str(file), "--call")
        assert (workspace / "called").read_text() == called
        assert told not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["evaluator.function.call=named_code:SPACE"], "'named_code:SPACE' is a Space; define it with def"),
        (["evaluator.function.call=named_code:Path"], "'named_code:Path' is a class; define it with def"),
        (["evaluator.function.call=named_code:data"], "has the arguments (): too many positional arguments"),
        (["evaluator.function.call=named_code:gone"], "named_code:gone must exist"),
        (["evaluator.function.call=os:abort"], "'os:abort' has the arguments ()"),
        (["space=named_code:build"], "'named_code:build' is of type function"),
        (["task.dataset=named_code:objective"], "has the arguments (config, context): missing"),
        (["task.dataset=named_code:SPACE"], "'named_code:SPACE' is a Space; define it with def"),
        (["evaluator=named_code:objective"], "must be a class that extends automl.contracts.Evaluator"),
        (["arms.random.strategy=named_code:Path"], "must be a class that extends automl.contracts.Strategy"),
        (["executor=named_code:SPACE"], "must be a class that extends automl.contracts.Executor"),
    ],
)
def test_what_is_of_the_wrong_kind_is_told_and_not_called(
    words: list[str],
    text: str,
    workspace: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (workspace / "named_code.py").write_text(CODE)
    file = study(workspace, OBJECTIVE, '{function: {call: "named_code:objective"}}')
    assert automl(monkeypatch, "check", str(file), *(f"--set={word}" for word in words)) == 2
    assert text in capsys.readouterr().err
    assert not (workspace / "called").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", [["check"], ["run", "--progress", "quiet"], ["schedule", "add"]])
def test_code_elsewhere_is_refused_unless_trusted(
    command: list[str],
    workspace: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "other_code.py").write_text(CODE + "\nPath('imported').write_text('')\n")
    monkeypatch.syspath_prepend(elsewhere)
    file = study(
        workspace / "mine", OBJECTIVE, '{function: {call: "other_code:objective"}}', code="other_code"
    )
    monkeypatch.setenv("AUTOML_STORE", str(workspace / "store"))
    cron = ["--cron", "0 2 * * *"] if "schedule" in command else []
    assert automl(monkeypatch, *command, str(file), *cron) == 2
    err = capsys.readouterr().err
    assert "named.yaml:4: space: must come from the file's own folder" in err and "Traceback" not in err
    assert f"other_code:objective is in {elsewhere}/other_code.py; look at that code, then add --trust" in err
    assert not (workspace / "imported").exists() and not (workspace / "store").exists()
    assert automl(monkeypatch, *command, str(file), *cron, "--trust") == 0
    assert (workspace / "imported").exists()


@pytest.mark.faults
def test_a_schedule_keeps_that_choice_until_it_is_added_again(
    workspace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/other_code.py").write_text(CODE)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "elsewhere"))
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    file = study(workspace, OBJECTIVE, '{function: {call: "other_code:objective"}}', code="other_code")
    monkeypatch.setenv("AUTOML_STORE", str(workspace / "store"))
    words = ["schedule", "add", str(file), "--cron", "* * * * *"]
    assert automl(monkeypatch, *words, "--trust") == 0
    store = resolve_store()
    with open_ledger(store) as ledger:
        assert ledger.schedules()[0].trusted
        (first,) = tick(store, now=due(ledger, 1))
        assert (first.state, first.reason) == ("done", None)
        monkeypatch.setenv("AUTOML_PLUGINS", str(tmp_path / "elsewhere"))
        assert automl(monkeypatch, *words) == 0
        monkeypatch.delenv("AUTOML_PLUGINS")
        assert not ledger.schedules()[0].trusted
        (second,) = tick(store, now=due(ledger, 5))
        assert second.state == "failed" and "then add --trust" in str(second.reason)


def due(ledger: Ledger, minutes: int) -> float:
    """So many minutes after the schedule was added, in POSIX seconds: a slot has come."""
    return ledger.schedules()[0].created_at + 60 * minutes + 1


LIBRARIES = (
    "json.py",
    "random.py",
    "torch.py",
    "yaml.py",
    "numpy/__init__.py",
    "typing.py",
    "ray/__init__.py",
)
WITNESS = """
import importlib
from pathlib import Path
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})

def objective(config, context):
    names = ["json", "random", "torch", "yaml", "numpy", "typing", "automl", "ray"]
    hidden = [name for name in names if "trap" in str(importlib.import_module(name).__file__)]
    if hidden:
        raise ValueError(f"hidden: {hidden}")
    return config["x"]
"""


@pytest.mark.faults
@pytest.mark.parametrize(
    "executor",
    ["local", "{local: {isolate: true}}", pytest.param("{ray: {trials_at_once: 1}}", marks=pytest.mark.ray)],
)
@pytest.mark.parametrize("place", ["beside", "working folder", "PYTHONPATH", "linked"])
def test_no_file_takes_the_place_of_a_library(place: str, executor: str, tmp_path: Path) -> None:
    folder, cwd = tmp_path / "trap", tmp_path
    file = study(
        folder, OBJECTIVE, '{function: {call: "witness:objective"}}', code="witness", executor=executor
    )
    traps, environ = folder, {**os.environ, "AUTOML_STORE": str(tmp_path / "store")}
    if place == "working folder":  # full of such files, with the study elsewhere
        traps = cwd = tmp_path / "trap" / "cwd"
    elif place == "PYTHONPATH":
        environ["PYTHONPATH"] = f"{folder}{os.pathsep}{tmp_path}"
    elif place == "linked":
        traps = tmp_path / "trapped"
    for name in (*LIBRARIES, *([] if place == "PYTHONPATH" else ["automl.py"])):
        (traps / name).parent.mkdir(parents=True, exist_ok=True)
        (traps / name).write_text("raise SystemExit('a trap')")
        if place == "linked":
            link = folder / name.partition("/")[0]
            link.symlink_to(traps / name.partition("/")[0])
    (folder / "witness.py").write_text(WITNESS)
    command = [Path(sys.executable).with_name("automl"), "run", file, "--json"]
    done = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stderr
    (searches,) = json.loads(done.stdout)["arms"].values()
    assert searches[0]["trials"]["complete"] == 2, done.stderr
