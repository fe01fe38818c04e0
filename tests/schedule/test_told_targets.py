"""What a schedule's study tells, and to whom, is tried when the schedule is added, not at night."""

from __future__ import annotations

from pathlib import Path

import pytest
from in_process import automl

from automl.ledger import Ledger, Store

STUDY = """name: nightly
task: {metric: loss, direction: minimize}
space: {parameters: {x: {type: float, low: 0, high: 1}}}
evaluator: {function: {call: "night_code:objective"}}
budget: {trials: 3}
executor: local
final: {seeds: 0}
schedule: {cron: "0 2 * * *"}
notify: [{url: "${NOBODY_SET_THIS}"}]
"""


def test_a_variable_that_is_not_set_is_told_when_a_schedule_is_added(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    monkeypatch.chdir(tmp_path)
    Path("nightly.yaml").write_text(STUDY)
    Path("night_code.py").write_text("def objective(config, context):\n    return config['x']\n")
    assert automl(monkeypatch, "schedule", "add", "nightly.yaml") == 0
    told = capfd.readouterr().err
    assert "the environment variable NOBODY_SET_THIS must hold an address" in told
    assert "export it where `automl schedule run` runs" in told
    with Ledger(store) as ledger:
        assert len(ledger.schedules()) == 1
