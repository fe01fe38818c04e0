"""`automl stop`, `pause` and `resume` from another process, on every executor and both stores."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from requests_study import Steered

from automl.contracts import TrialState
from automl.ledger import Store

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
EXECUTORS = ["local", "isolated", pytest.param("ray", marks=pytest.mark.ray)]
Make = Callable[..., Steered]


@pytest.fixture
def steered(tmp_path: Path, store: Store) -> Iterator[Make]:
    made: list[Steered] = []

    def make(executor: str = "local", call: str = "sleeps") -> Steered:
        made.append(Steered(tmp_path / "study", store, executor, call))
        return made[-1]

    yield make
    for study in made:
        for process in study.runs:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_stopped_campaign_ends_now_and_goes_on_when_asked(executor: str, steered: Make) -> None:
    study = steered(executor, "sleeps" if executor == "local" else "in_c")
    process = study.run()
    study.until(lambda: study.begun() == (2 if executor == "ray" else 1), process)
    time.sleep(1.0)
    code, said = study.command("stop", "steered")
    assert (code, "its driver has heard of it" in said) == (0, True), said
    assert study.ended(process) == 1, "a program must not take nothing for a result"
    assert "ended: stopped by" in study.log and "Traceback" not in study.log
    with study.ledger() as ledger:
        row = ledger.campaign("steered-1")
        assert row is not None and row.was_stopped and row.state == "finished"
        trials = ledger.trials("steered-1")
        assert {(trial.state, trial.reason) for trial in trials} == {(TrialState.PRUNED, row.reason)}
        assert all(trial.device_seconds >= 0.9 for trial in trials), "it pays for what it has used"
        assert {search.reason for search in ledger.searches("steered-1")} == {row.reason}
        assert ledger.openings("steered-1") == []
    sys.stderr.write(f"\nlatency of stop on {executor}: {study.latency(trials[0].id):.2f} s\n")
    study.audit()
    before = len(trials)

    assert study.command("stop", "steered")[0] == 0, "what has ended is told"
    assert study.command("pause", "steered")[0] == 2
    assert study.ended(study.run()) in (0, 1) and "nothing was started" in study.log
    (study.folder / "quick").touch()
    code, said = study.command("resume", "steered")
    assert (code, "waits for the next `automl run`" in said) == (0, True), said
    assert study.ended(study.run()) == 0, study.log
    with study.ledger() as ledger:
        row = ledger.campaign("steered-1")
        assert row is not None and (row.state, row.reason) == ("finished", None)
        assert ledger.campaign("steered-2") is None
        trials = ledger.trials("steered-1")
        assert sum(trial.kind == "trial" for trial in trials) == 8
        assert sum(trial.state is TrialState.PRUNED for trial in trials) == before
        assert sum(trial.kind == "final" for trial in trials) == 2
    study.audit()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_single_trials_and_searches_are_stopped(executor: str, steered: Make) -> None:
    study = steered(executor)
    process = study.run()
    study.until(lambda: study.begun() == (2 if executor == "ray" else 1), process)
    began, first = study.begun(), "steered-1/random/0/0"
    assert study.command("stop", first)[0] == 0
    study.until(lambda: study.begun() > began, process)
    (study.folder / "quick").touch()
    assert study.command("stop", "steered/random/0")[0] == 0
    if executor == "ray":
        study.until(lambda: "steered-1/tpe/0/0" in study.command("stop", "steered/tpe/0/0")[1], process)
    else:
        study.command("stop", "steered/tpe/0/0")
    assert study.ended(process) == 0, study.log
    with study.ledger() as ledger:
        trials = {trial.id: trial for trial in ledger.trials("steered-1")}
        assert trials[first].state is TrialState.PRUNED
        assert (trials[first].reason or "").startswith("stopped by") and trials[first].attempt == 1
        reasons = {search.arm: search.reason or "" for search in ledger.searches("steered-1")}
        assert reasons["random"].startswith("stopped by") and reasons["tpe"].startswith("budget")
        row = ledger.campaign("steered-1")
        assert row is not None and row.reason is None
    assert (
        "random with seed 0 was stopped by" in study.log.replace("\n  ", " ")
        or "no complete trial" in study.log
    )
    study.audit()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_a_paused_campaign_starts_nothing_until_it_is_resumed(executor: str, steered: Make) -> None:
    study = steered(executor, "waits")
    process = study.run()
    study.until(lambda: study.begun() >= 1, process)
    code, said = study.command("pause", "steered")
    assert (code, "its driver has heard of it" in said) == (0, True), said
    began = study.begun()
    (study.folder / "quick").touch()
    study.until(lambda: not _running(study), process)
    time.sleep(2.0)
    assert (study.begun(), process.poll()) == (began, None)
    assert "steered-1  paused, paused by" in study.command("list", "campaigns")[1]
    assert study.command("pause", "steered")[0] == 0, "again, from another terminal"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    again = study.run()
    study.until(lambda: study.log.count("is paused by") == 2, again)
    time.sleep(2.0)
    assert (study.begun(), again.poll()) == (began, None), "it stays paused when its driver dies"
    code, said = study.command("resume", "steered")
    assert (code, "its driver has heard of it" in said) == (0, True), said
    assert study.ended(again) == 0, study.log
    with study.ledger() as ledger:
        assert sum(trial.kind == "trial" for trial in ledger.trials("steered-1")) == 8
    study.audit()


def test_a_request_survives_the_driver_that_never_read_it(steered: Make) -> None:
    study = steered()
    process = study.run()
    study.until(lambda: study.begun() == 1, process)
    os.kill(process.pid, signal.SIGSTOP)
    code, said = study.command("stop", "steered")
    assert (code, "has not heard of it for 10 s" in said) == (0, True), said
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    code, said = study.command("stop", "steered")
    assert (code, "before; no process drives it now" in said) == (0, True), said
    assert "steered-1  interrupted, stopped by" in study.command("list", "campaigns")[1]
    assert study.ended(study.run()) == 1
    assert study.begun() == 1, "nothing more was started"
    with study.ledger() as ledger:
        (trial,) = ledger.trials("steered-1")
        assert trial.state is TrialState.FAILED and "not tried again: stopped by" in (trial.reason or "")
    study.audit()


def test_requests_on_postgresql(tmp_path: Path, postgres_store: Store) -> None:
    study = Steered(tmp_path / "study", postgres_store, "isolated")
    process = study.run()
    study.until(lambda: study.begun() == 1, process)
    assert study.command("pause", "steered")[0] == 0
    assert study.command("stop", "steered")[0] == 0
    assert study.ended(process) == 1
    with study.ledger() as ledger:
        assert [request.wish for request in ledger.requests("steered-1")] == ["pause", "stop"]
        assert all(request.done_at for request in ledger.requests("steered-1"))
        (trial,) = ledger.trials("steered-1")
    sys.stderr.write(f"\nlatency of stop on PostgreSQL: {study.latency(trial.id):.2f} s\n")
    study.audit()


def test_unknown_names_are_told_with_the_nearest(steered: Make) -> None:
    study = steered(call="waits")
    (study.folder / "quick").touch()
    assert study.ended(study.run()) == 0, study.log
    for name, hint in {
        "steerd": "did you mean 'steered",
        "steered/randm/0": "did you mean 'steered-1/random/0'",
        "steered-1/random/0/9": "TRIAL must be one of steered-1/random/0",
        "steered-7": "did you mean 'steered-1'",
    }.items():
        code, said = study.command("stop", name)
        assert code == 2 and hint in said, said
    code, said = study.command("stop", "steered-1/random/0/1")
    assert code == 0 and "has ended (it is complete); nothing was stopped" in said


def _running(study: Steered) -> bool:
    with study.ledger() as ledger:
        return any(trial.state is TrialState.RUNNING for trial in ledger.trials("steered-1"))
