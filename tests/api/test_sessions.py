"""Ask and tell: a loop of the program's own is recorded, budgeted, pruned and continued as any search."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE

import automl
from automl.config import load_study
from automl.contracts import RunError, TransientError, TrialState, UserError
from automl.ledger import Ledger, Store
from automl.recorder.audit import audit
from automl.space import Float, Int

SPACE = {"x": Float(-2.0, 2.0), "units": Int(1, 8)}
LOSS = {"loss": "minimize"}


def opened(store: Store, name: str = "mine", **keys: Any) -> automl.Session:
    given: dict[str, Any] = {"metrics": LOSS, "trials": 4, "progress": "quiet", **keys}
    return automl.session(name, space=given.pop("space", SPACE), store=store, **given)


def square(trial: automl.Trial) -> float:
    return float(trial.config["x"] or 0) ** 2


@pytest.mark.slow
def test_a_loop_is_a_campaign_as_any_other(store: Store) -> None:
    with opened(store) as session:
        assert "open" in repr(session)
        for trial in session:
            assert trial.report(1, square(trial) + 1, seen=2.0)
            assert trial.tell(square(trial)) == "complete"
        assert session.finished and session.ask() is None
    campaign = session.campaign
    assert (campaign.name, campaign.state) == ("mine-1", "finished")
    best, frame = campaign.best, campaign.trials()
    assert best is not None and best.value == frame["loss"].min() and best.arm == "tpe"
    assert list(frame["number"]) == [0, 1, 2, 3] and (frame["device_seconds"] > 0).all()
    assert "no baseline" in " ".join(campaign.report.warnings), "one arm is told"
    with Ledger(store) as ledger:
        assert len(ledger.reports(campaign="mine-1")) == 4
        assert audit(store, ledger, "mine-1").faults == {}


def test_trials_have_seeds_and_folders_of_their_own(store: Store) -> None:
    with opened(store, seeds=2, trials=2) as session:
        trials = []
        while (trial := session.ask()) is not None:
            (trial.folder / "checkpoints" / "note.txt").write_text("kept")
            trial.artifact("curve.txt").write_text("1 2 3")
            trials.append(trial)
            trial.tell(square(trial))
    assert len({trial.seed for trial in trials}) == len({trial.folder for trial in trials}) == 4
    assert {(trial.arm, trial.search_seed, trial.number) for trial in trials} == {
        ("tpe", seed, number) for seed in (0, 1) for number in (0, 1)
    }
    with Ledger(store) as ledger:
        assert all(trial.artifacts == ["curve.txt"] for trial in ledger.trials(campaign="mine-1"))


def test_several_trials_are_open_at_once_and_told_in_any_order(store: Store) -> None:
    with opened(store) as session:
        first = [session.ask() for _ in range(4)]
        asked = [trial for trial in first if trial is not None]
        assert len(asked) == 4 and session.ask() is None and not session.finished
        assert session.open_trials == asked
        for trial in reversed(asked):
            trial.tell(square(trial))
        assert session.ask() is None and session.finished
    assert session.campaign.trials()["state"].eq("complete").all()


def test_threads_may_share_a_session(store: Store) -> None:
    seen: list[str] = []

    def work() -> None:
        while (trial := session.ask()) is not None:
            seen.append(trial.name)
            trial.tell(square(trial))

    with opened(store, trials=8) as session:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        while (trial := session.ask()) is not None:  # a thread ends where others hold the last ones
            trial.tell(square(trial))
            seen.append(trial.name)
    assert len(seen) == len(set(seen)) == 8


ENDS: dict[str, tuple[Callable[[automl.Trial], str], TrialState, str]] = {
    "pruned": (lambda trial: trial.tell(pruned=True), TrialState.PRUNED, "pruned by the outside loop"),
    "failed": (lambda trial: trial.tell(failed="diverged"), TrialState.FAILED, "diverged"),
    "an error": (lambda trial: trial.tell(failed=ValueError("no")), TrialState.FAILED, "ValueError: no"),
    "not finite": (lambda trial: trial.tell(math.nan), TrialState.FAILED, "finite"),
    "two values": (lambda trial: trial.tell((1.0, 2.0)), TrialState.FAILED, "one value for each"),
    "by name": (lambda trial: trial.tell({"loss": 1.0, "size": 3.0}), TrialState.COMPLETE, ""),
    "another name": (lambda trial: trial.tell({"cost": 1.0}), TrialState.FAILED, "loss"),
}


@pytest.mark.parametrize("how", ENDS)
def test_trials_end_as_they_are_told(how: str, store: Store) -> None:
    tell, state, words = ENDS[how]
    with opened(store, trials=1) as session:
        trial = session.ask()
        assert trial is not None and tell(trial) == state.value
        assert session.ask() is None
    with Ledger(store) as ledger:
        (row,) = ledger.trials(campaign="mine-1")
    assert row.state is state and words in (row.reason or "")


def test_mistakes_of_the_loop_are_told_and_change_nothing(store: Store) -> None:
    with opened(store) as session:
        trial = session.ask()
        assert trial is not None
        with pytest.raises(UserError, match="one of value, pruned=True and failed=reason, but got 0"):
            trial.tell()
        with pytest.raises(UserError, match="but got 2"):
            trial.tell(1.0, pruned=True)
        with pytest.raises(ValueError, match="steps must increase"):
            trial.report(2, 1.0)
            trial.report(1, 1.0)
        assert trial.is_open
        trial.tell(1.0)
        for again in (lambda: trial.tell(1.0), lambda: trial.report(3, 1.0)):
            with pytest.raises(UserError, match="is told once, but mine-1/tpe/0/0 is complete"):
                again()
        with pytest.raises(UserError, match="told before the next one, but mine-1/tpe/0/1 is open"):
            list(session)
    last = session.open_trials
    assert len(last) == 1
    with pytest.raises(RunError, match=r"mine-1/tpe/0/1 must be told while its session is open"):
        last[0].tell(1.0)
    with pytest.raises(RunError, match="is closed; open it again"):
        session.ask()


def test_a_pruner_ends_trials_and_a_value_after_that_counts(store: Store) -> None:
    def goes_on(trial: automl.Trial) -> bool:
        return all(trial.report(step, value) for step, value in enumerate(curves[trial.number], 1))

    curves = {0: [1.0, 0.5], 1: [1.0, 0.5], 2: [1.0, 0.5], 3: [1.0, 0.5], 4: [9.0, 9.0], 5: [9.0, 9.0]}
    with opened(store, trials=6, pruner={"median": {"startup": 2}}) as session:
        states = []
        for trial in session:
            kept = goes_on(trial)
            assert trial.must_stop is not kept
            value = {"value": 0.5} if kept or trial.number == 5 else {}
            states.append(trial.tell(value["value"]) if value else trial.tell(pruned=True))
    assert states == ["complete"] * 4 + ["pruned", "complete"]
    reasons = list(session.campaign.trials()["reason"])
    assert reasons[4] == "pruned" and reasons[5] == ""


def test_an_error_that_may_pass_lets_the_trial_be_asked_again(store: Store) -> None:
    with opened(store, trials=2, retry={"transient": 1, "backoff": 0}) as session:
        first = session.ask()
        assert first is not None
        first.tell(failed=TransientError("the licence server is busy"))
        again = session.ask()
        assert again is not None and (again.name, again.attempt) == (first.name, 2)
        assert (again.config, again.seed, again.folder) == (first.config, first.seed, first.folder)
        again.tell(1.0)
        for trial in session:
            trial.tell(1.0)
    assert list(session.campaign.trials()["attempt"]) == [2, 1]


def test_a_closed_session_goes_on_with_what_was_open(store: Store) -> None:
    with opened(store) as session:
        done = session.ask()
        assert done is not None
        done.tell(square(done))
        left = session.ask()
        assert left is not None
    assert session.campaign.state == "interrupted" and "closed" in repr(session)
    with opened(store, trials=5) as session:  # and it grows
        again = session.ask()
        assert again is not None and (again.name, again.attempt) == (left.name, 2)
        assert again.config == left.config
        again.tell(square(again))
        for trial in session:
            trial.tell(square(trial))
    assert session.campaign.name == "mine-1" and len(session.campaign.trials()) == 5
    with opened(store, trials=5) as session:  # it has all that is asked for
        assert session.finished and session.ask() is None
    with opened(store, trials=5, fresh=True) as session:
        assert session.campaign.name == "mine-2" and not session.finished


def test_an_exception_in_the_loop_leaves_the_session_and_its_trials(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), opened(store) as session:
        for _ in session:
            raise ZeroDivisionError
    assert session.campaign.state == "interrupted"
    with opened(store) as session:
        assert session.ask() is not None


def test_the_baseline_takes_turns_at_equal_cost(store: Store) -> None:
    with opened(store, baseline=True) as session:
        for trial in session:
            trial.tell(square(trial))
    frame = session.campaign.trials()
    assert frame.groupby("arm").size().to_dict() == {"random": 4, "tpe": 4}
    assert not [line for line in session.campaign.report.warnings if "no baseline" in line]


def test_the_budget_of_seconds_ends_it(store: Store) -> None:
    with opened(store, trials=None, seconds=0.3) as session:
        for trial in session:
            threading.Event().wait(0.12)
            going = trial.report(1, 1.0)
            trial.tell(1.0) if going else trial.tell(pruned=True)
    assert session.finished and 2 <= len(session.campaign.trials()) <= 4


def test_a_stop_from_elsewhere_ends_it(store: Store) -> None:
    with opened(store) as session:
        trial = session.ask()
        assert trial is not None
        assert "its driver has heard of it" in session.campaign.stop()
        assert not trial.report(1, 1.0) and trial.must_stop
        trial.tell(pruned=True)
        assert session.ask() is None and session.finished
    assert "stopped" in str(session.campaign.trials()["reason"][0])
    assert "stopped" in (session.campaign.report.reason or "")


@pytest.mark.slow
def test_a_session_is_open_once(store: Store) -> None:
    with opened(store), pytest.raises(UserError, match="mine is open in this process"):
        opened(store)
    with opened(store) as session, opened(store, "other") as other:
        assert session.ask() is not None and other.ask() is not None


def test_a_copy_of_the_process_is_refused(store: Store) -> None:
    with opened(store) as session:
        trial = session.ask()
        assert trial is not None
        trial._loop._process = os.getpid() + 1
        with pytest.raises(UserError, match="in the process that opened it"):
            trial.report(1, 1.0)


def test_a_study_of_a_session_is_not_run_by_a_command(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    with opened(store) as session:
        trial = session.ask()
        path = session.study.write(tmp_path / "mine.yaml")
    assert trial is not None and load_study(path).digest() == session.study.digest()
    with pytest.raises(UserError, match=r"go on with automl\.session"):
        automl.run(path, store=store, progress="quiet")
    with Ledger(store) as ledger:
        assert [row.state for row in ledger.trials(campaign="mine-1")] == [TrialState.RUNNING]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no budget": ({"trials": None}, "write trials=50 or seconds=60"),
    "an unknown argument": ({"trial": 3}, "did you mean 'trials'"),
    "an unknown strategy": ({"strategy": "tpee"}, "did you mean 'tpe'"),
    "an unknown metric": ({"metrics": "lss"}, "direction"),
    "a space of nothing": ({"space": {}}, "space"),
    "low above high": (
        {"space": {"parameters": {"x": {"type": "float", "low": 2, "high": 1}}}},
        "low <= high",
    ),
    "a wrong name": ({"name": "My Search"}, "name: must be 1 to 63"),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_mistakes_are_told_before_anything_is_created(mistake: str, store: Store) -> None:
    change, words = WRONG[mistake]
    with pytest.raises(UserError, match=words):
        opened(store, **{"name": "mine", **change})
    with Ledger(store) as ledger:
        assert ledger.campaigns() == []


OTHER = """
import automl
try:
    automl.session("mine", space={"x": automl.Float(-2.0, 2.0), "units": automl.Int(1, 8)}, trials=4,
                   metrics={"loss": "minimize"}, progress="quiet")
except automl.RunError as error:
    print(error, automl.open("mine").state)
"""


@pytest.mark.slow
def test_a_second_process_is_told_who_has_the_session(store: Store, tmp_path: Path) -> None:
    environment = {**os.environ, "AUTOML_STORE": str(store.folder)}
    with opened(store) as session:
        command = [sys.executable, "-c", OTHER]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )
        assert "mine-1 is being run by" in done.stdout and done.stdout.endswith(" running\n"), done.stderr
        for trial in session:
            trial.tell(square(trial))
    assert session.finished


def test_an_interrupted_question_is_answered_by_the_next_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(store) as session:
        result = Future.result
        answers = iter([KeyboardInterrupt()])

        def interrupted(future: Future[Any], timeout: float | None = None) -> Any:
            value = result(future, timeout)
            for error in answers:
                raise error
            return value

        monkeypatch.setattr(Future, "result", interrupted)
        with pytest.raises(KeyboardInterrupt):
            session.ask()
        asked = session.ask()
        assert asked is not None and asked.number == 0
        asked.tell(1.0)
        for trial in session:
            trial.tell(1.0)
    assert session.finished
