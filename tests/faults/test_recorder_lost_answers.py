"""A server that does what it is told but whose answers are lost: nothing is lost, nothing is doubled."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from automl.contracts import RunError
from automl.ledger import Ledger, Store
from automl.recorder import Recorder, recorder, writer_choice
from automl.recorder.audit import audit, repair

sys.path.append(str(Path(__file__).parents[1] / "recorder"))
from patience import PATIENCE
from recorder_helpers import Filled

CALLS = (
    "create_run",
    "log_batch",
    "set_terminated",
    "update_run",
    "search_runs",
    "log_inputs",
    "log_artifact",
    "log_artifacts",
)
CLEAN: dict[str, list[str]] = {"missing": [], "duplicate": [], "stuck": [], "different": []}


@pytest.fixture
def filled(store: Store, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Filled:
    monkeypatch.setattr(writer_choice, "VERIFIED", frozenset())
    monkeypatch.setattr(recorder, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(recorder, "LEAST", 0.01)
    return Filled(store, ledger)


@pytest.fixture
def faults() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def break_calls(faults: pytest.MonkeyPatch, dice: random.Random, part: float) -> None:
    """Part of all calls fail, half of these after having worked."""

    def broken(real: Any) -> Any:
        def call(self: MlflowClient, *given: Any, **named: Any) -> Any:
            if dice.random() < part / 2:
                raise MlflowException("API request failed: 500")
            value = real(self, *given, **named)
            if dice.random() < part / 2:
                raise MlflowException("API request failed: connection reset by peer")
            return value

        return call

    for name in CALLS:
        faults.setattr(MlflowClient, name, broken(getattr(MlflowClient, name)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_calls_fail_before_or_after_they_worked(
    filled: Filled, faults: pytest.MonkeyPatch, seed: int
) -> None:
    recording = Recorder(filled.store, filled.ledger, filled.id)
    break_calls(faults, random.Random(seed), 0.08)
    recording.start()
    for number in range(12):
        filled.trial(number, number / 12, arm=number % 2, metrics={"loss": 0.5})
        time.sleep(0.02)
    filled.finish()
    recording.drain(timeout=PATIENCE)
    recording.close()
    faults.undo()
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 12, "runs": 12, **CLEAN}


@pytest.mark.slow
def test_no_trial_waits_for_a_server_that_does_not_answer(filled: Filled, faults: pytest.MonkeyPatch) -> None:
    answers, called = threading.Event(), threading.Event()
    search_runs = MlflowClient.search_runs

    def wait(*arguments: Any, **keywords: Any) -> Any:
        called.set()
        assert answers.wait(PATIENCE)
        return search_runs(*arguments, **keywords)

    faults.setattr(MlflowClient, "search_runs", wait)
    recording = Recorder(filled.store, filled.ledger, filled.id)
    recording.start()
    assert called.wait(PATIENCE)
    for number in range(5):
        filled.trial(number)
    filled.finish()  # gets here although the recorder still waits
    answers.set()
    recording.drain()
    recording.close()
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 5, "runs": 5, **CLEAN}


def test_away_for_good(filled: Filled, faults: pytest.MonkeyPatch) -> None:
    """Trials go on, the end says what is safe and what to do, and that works."""
    recording = Recorder(filled.store, filled.ledger, filled.id)
    break_calls(faults, random.Random(0), 2.0)
    recording.start()
    for number in range(5):
        filled.trial(number)
    filled.finish()
    with pytest.raises(
        RunError, match=r"does not have all of demo-1 yet.*safe in the ledger.*audit demo --repair"
    ):
        recording.drain(timeout=0.5)
    recording.close()
    faults.undo()
    assert repair(filled.store, filled.ledger, filled.id).to_json() == {"trials": 5, "runs": 5, **CLEAN}
    assert audit(filled.store, filled.ledger, filled.id).to_json() == {"trials": 5, "runs": 5, **CLEAN}


@pytest.mark.slow
def test_two_recorders_at_once(filled: Filled) -> None:
    """A stopped driver that wakes up beside its successor leaves duplicates at worst; repair removes them."""
    for number in range(10):
        filled.trial(number)
    filled.finish()
    both = [Recorder(filled.store, filled.ledger, filled.id) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.drain()
        one.close()
    assert repair(filled.store, filled.ledger, filled.id).to_json() == {"trials": 10, "runs": 10, **CLEAN}
