"""A study whose trials do something to other programs while their campaign runs."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest
from in_process import automl

from automl.ledger import Ledger, resolve_store

CODE = """
import limits_nemesis
from automl.space import Float, Space
SPACE = Space({"x": Float(-1.0, 1.0)})
def objective(config, context):
    limits_nemesis.strike()
    return config["x"]
"""
STUDY = """
name: limits
task: {metric: loss, direction: minimize}
space: "limits_code:SPACE"
evaluator: {function: {call: "limits_code:objective"}}
budget: {trials: 6}
seeds: 1
arms: {random: {strategy: random}}
final: {seeds: 1}
"""
TRIALS = 7
RUN = ("run", "limits.yaml", "--progress", "quiet")


class Nemesis:
    """What the trials of a study do to the others: `acts` by the number of the trial, counted from 1."""

    def __init__(self) -> None:
        self.trials = 0
        self.acts: dict[int, Callable[[], object]] = {}
        self.failed = ""

    def strike(self) -> None:
        self.trials += 1
        try:
            self.acts.get(self.trials, lambda: None)()
        except BaseException:
            self.failed = traceback.format_exc()  # no trial's fault


@contextmanager
def unleashed(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Nemesis]:
    """The study in `folder`, the working folder, whose trials call it."""
    (folder / "limits_code.py").write_text(CODE)
    (folder / "limits.yaml").write_text(STUDY)
    patch.syspath_prepend(folder)
    made, module = Nemesis(), ModuleType("limits_nemesis")
    module.strike = made.strike  # type: ignore[attr-defined]
    patch.setitem(sys.modules, "limits_nemesis", module)
    patch.setitem(sys.modules, "limits_code", ModuleType("limits_code"))
    del sys.modules["limits_code"]  # that of another test's folder
    yield made
    assert not made.failed, made.failed


def check_whole(patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *repair: str) -> None:
    """Every trial once and complete in the ledger, and exactly so in MLflow."""
    capsys.readouterr()
    assert automl(patch, "audit", "limits", *repair, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["trials"], found["runs"]) == (TRIALS, TRIALS)
    with Ledger(resolve_store()) as ledger:
        trials = ledger.trials()
        assert {str(trial.state) for trial in trials} == {"complete"}
        assert [trial.attempt for trial in trials] == [1] * TRIALS
        assert {campaign.state for campaign in ledger.campaigns()} == {"finished"}


def check_words(text: str) -> None:
    for raw in ("Traceback", "unexpected ", "[SQL", "psycopg.", "sqlalche.me"):
        assert raw not in text
