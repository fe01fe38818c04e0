"""Reports know no plug-in by its name: copies under other names, and plug-ins that are gone."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import test_collapse
import test_few_shot_report
import test_rung_ranking
from report_examples import RANDOM, FakeLedger

from automl import plugins
from automl.report import collect, terminal

PRUNERS = Path(plugins.__file__).parent / "strategies" / "pruners"
EVALUATOR = '''"""An evaluator with defaults of its own."""
from automl.contracts import Evaluator, EvaluatorOptions

class MineOptions(EvaluatorOptions):
    """Options."""
    method: str = "snas"
    learner: str = "reptile"
    backbone: str = "conv6"

class Mine(Evaluator):
    """Does nothing."""
    Options = MineOptions
    one_shot = True
    def evaluate(self, config, context):
        raise NotImplementedError

PLUGIN = Mine
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plug-in folder with `halving` (asha), `nothing` (none) and the evaluator `mine`."""
    for kind in ("pruners", "evaluators"):
        (tmp_path / kind).mkdir()
    shutil.copy(PRUNERS / "asha.py", tmp_path / "pruners" / "halving.py")
    shutil.copy(PRUNERS / "none.py", tmp_path / "pruners" / "nothing.py")
    (tmp_path / "evaluators" / "mine.py").write_text(EVALUATOR)
    monkeypatch.setenv("AUTOML_PLUGINS", str(tmp_path))
    return tmp_path


def report_json(ledger: FakeLedger) -> dict[str, Any]:
    return collect(ledger, ledger.row.id).to_json()


def pruned(name: str, options: dict[str, Any]) -> FakeLedger:
    return test_rung_ranking.campaign(test_rung_ranking.MIXED, {"name": name, "options": options})


@pytest.mark.usefixtures("folder")
def test_a_copied_pruner_has_the_same_rungs() -> None:
    original, copy = (report_json(pruned(name, {"reduction": 3})) for name in ("asha", "halving"))
    assert copy["rungs"] == original["rungs"]
    assert copy["warnings"] == original["warnings"]


@pytest.mark.usefixtures("folder")
def test_a_copy_of_no_pruning_prunes_as_little() -> None:
    ledger = pruned("nothing", {})
    report = collect(ledger, ledger.row.id)
    assert report.rungs == ()
    assert report.arms["tpe"].description == ""


def one_shot(evaluator: str, options: dict[str, Any]) -> FakeLedger:
    ledger = test_collapse.campaign()
    ledger.row.spec["arms"] = {
        "random": RANDOM,
        "darts": {"evaluator": {"name": evaluator, "options": options}},
    }
    return ledger


@pytest.mark.usefixtures("folder")
def test_another_one_shot_evaluator_has_the_same_alarms() -> None:
    original = report_json(one_shot("supernet", {"method": "snas"}))
    assert report_json(one_shot("mine", {}))["health"] == original["health"]


def test_an_evaluator_that_is_gone_still_has_its_alarms() -> None:
    (entry,) = collect(ledger := one_shot("no_longer_here", {}), ledger.row.id).collapse
    assert (entry.collapsed, entry.method) == (True, None)


@pytest.mark.usefixtures("folder")
def test_defaults_are_those_of_the_plugin() -> None:
    ledger = test_few_shot_report.few_shot()
    ledger.row.spec["evaluator"] = {"name": "mine", "options": {"width": 8}}
    for trial in ledger.trial_rows:
        trial.config.pop("learner", None)
    report = collect(ledger, ledger.row.id)
    assert {(arm.learner, arm.backbone) for arm in report.few_shot} == {("reptile", "conv6-8")}
    terminal(report)
