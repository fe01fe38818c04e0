"""Artifacts that the ledger lists and MLflow does not have: an audit says so, for either writer."""

from __future__ import annotations

from pathlib import Path

import pytest
from recorder_helpers import Filled, write_file

from automl.recorder import Recorder, writer_choice
from automl.recorder.audit import audit, repair


@pytest.fixture(params=["direct", "client"])
def recorded(request: pytest.FixtureRequest, filled: Filled, monkeypatch: pytest.MonkeyPatch) -> Filled:
    """A finished campaign of two trials, each with two artifacts, of which one was never on this machine."""
    if request.param == "client":
        monkeypatch.setattr(writer_choice, "VERIFIED", frozenset())
    for number in range(2):
        trial = filled.start(number)
        write_file(Path(trial.workdir or "") / "artifacts/notes.txt", "x")
        filled.end(trial, 0.5, artifacts=["notes.txt", *(["far.txt"] if number else [])])
    filled.finish()
    recorder = Recorder(filled.store, filled.ledger, filled.id)
    recorder.drain()
    recorder.close()
    return filled


@pytest.mark.slow
def test_what_never_came_is_a_fault_until_it_comes(
    recorded: Filled, caplog: pytest.LogCaptureFixture
) -> None:
    assert audit(recorded.store, recorded.ledger, recorded.id).faults == {
        "files": ["demo-1/random/0/1: far.txt"]
    }
    (told,) = [record.getMessage() for record in caplog.get_records("setup")]
    assert "MLflow gets no far.txt" in told and "AUTOML_STORAGE" in told
    found = repair(recorded.store, recorded.ledger, recorded.id)
    assert found.to_json()["files"] == ["demo-1/random/0/1: far.txt"]
    row = recorded.ledger.trial("demo-1/random/0/1")
    assert row is not None
    write_file(Path(row.workdir or "") / "artifacts/far.txt", "x")
    found = repair(recorded.store, recorded.ledger, recorded.id)
    assert found.faults == {} and "files" not in found.to_json()
