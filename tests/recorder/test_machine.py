from __future__ import annotations

from pathlib import Path

import pytest
from recorder_helpers import CLEAN, Filled, runs

from automl.recorder import Recorder, machine
from automl.recorder.audit import audit
from automl.recorder.machine import CPU, MEMORY, Machine


def proc(folder: Path, busy: int, idle: int) -> Path:
    stat = f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 1 2 3\n"
    (folder / "stat").write_text(stat, encoding="utf-8")
    memory = "MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 250 kB\n"
    (folder / "meminfo").write_text(memory, encoding="utf-8")
    return folder


def test_load_is_that_between_two_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "PERIOD", 0.0)
    meter = Machine(0.0, proc(tmp_path, 900, 100))
    assert meter.points() == []
    proc(tmp_path, 925, 175)
    assert {point.key: point.value for point in meter.points()} == {CPU: 25.0, MEMORY: 75.0}
    assert meter.points() == [], "no time has passed"


def test_a_sample_is_not_due_at_once(tmp_path: Path) -> None:
    meter = Machine(0.0, proc(tmp_path, 900, 100))
    assert meter.points() == []
    proc(tmp_path, 925, 175)
    assert meter.points() == []


@pytest.mark.parametrize("content", ["", "cpu\n", "cpu a b c d e\n", "cpu 1 2\n"])
def test_a_system_without_them_records_nothing(
    tmp_path: Path, content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "PERIOD", 0.0)
    assert Machine(0.0, tmp_path / "none").points() == []
    proc(tmp_path, 1, 1)
    (tmp_path / "stat").write_text(content, encoding="utf-8")
    assert Machine(0.0, tmp_path).points() == []


def test_they_are_in_the_run_of_the_campaign_and_no_fault(
    filled_either: Filled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled = filled_either
    monkeypatch.setattr(machine, "PERIOD", 0.0)
    busy = iter(range(1000, 2000, 10))
    monkeypatch.setattr(Machine, "_busy", lambda _: (next(busy) // 2, next(busy)))
    filled.trial(0)
    filled.finish()
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder.drain()
    recorder.drain()
    recorder.close()
    assert 0.0 <= runs(filled)["demo-1"].data.metrics[CPU] <= 100.0
    assert runs(filled)["demo-1"].data.metrics[MEMORY] > 0.0
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 1, "runs": 1, **CLEAN}
