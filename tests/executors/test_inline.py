"""Code in this thread ends when no time is left: a sleep, a loop, one that swallows, another thread's."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from patience import PATIENCE
from queue_source import QueueSource, job

from automl.contracts import Job, TrialState
from automl.executors.inline import Inline

LATE = 0.1  # seconds


def run(
    name: str, folder: Path, source: QueueSource | None = None, **more: float
) -> tuple[object, str, float]:
    given: Job = job(name, folder, **{"deadline": LATE, **more})
    used = source or QueueSource([given])
    taken = used.next_job()
    assert taken is not None
    outcome = Inline().run(taken, used)
    return outcome.state, outcome.reason, outcome.device_seconds


@pytest.mark.parametrize(
    "name", ["sleeps", "computes", "hangs", "swallows_once", "waits_for_a_process", "collects"]
)
def test_silent_code_is_interrupted(name: str, tmp_path: Path) -> None:
    start = time.monotonic()
    state, reason, cost = run(name, tmp_path)
    assert (state, reason) == (TrialState.FAILED, "deadline: the trial took longer than 0.1 s")
    assert LATE <= cost < 15.0
    assert time.monotonic() - start < 18.0, "it did not sleep to its end"


def test_time_that_grows_while_a_trial_runs_is_used(tmp_path: Path) -> None:
    class Growing(QueueSource):
        def time_left(self, trial: str, token: str, elapsed: float) -> float:
            return 3 * LATE - elapsed

    state, _, cost = run("sleeps", tmp_path, Growing([job("sleeps", tmp_path, deadline=LATE)]))
    assert state is TrialState.FAILED
    assert cost >= 3 * LATE


def test_a_trial_that_ends_in_time_leaves_no_timer(tmp_path: Path) -> None:
    assert run("good", tmp_path, deadline=0.5)[0] is TrialState.COMPLETE
    time.sleep(0.6)


def test_in_another_thread_it_is_told_that_a_trial_has_begun(tmp_path: Path) -> None:
    told: list[float] = []

    class Asked(QueueSource):
        def time_left(self, trial: str, token: str, elapsed: float) -> float:
            told.append(elapsed)
            return super().time_left(trial, token, elapsed)

    source = Asked([job("nothing", tmp_path)])
    thread = threading.Thread(target=lambda: run("nothing", tmp_path, source))
    thread.start()
    thread.join(PATIENCE)
    assert any(elapsed > 0 for elapsed in told), "from then on it pays when this process is killed"


@pytest.mark.parametrize("name", ["computes", "collects"])
def test_in_another_thread_a_loop_is_interrupted(name: str, tmp_path: Path) -> None:
    found: list[tuple[object, str, float]] = []
    thread = threading.Thread(target=lambda: found.append(run(name, tmp_path)))
    thread.start()
    thread.join(PATIENCE)
    assert found and found[0][0] is TrialState.FAILED
    assert found[0][2] < 15.0


def test_what_else_python_drops_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda found: shown.append(found.exc_value))
    before = sys.unraisablehook
    assert run("drops", tmp_path, deadline=20.0)[0] is TrialState.COMPLETE
    assert [str(error) for error in shown] == ["dropped"]
    assert sys.unraisablehook is before


@pytest.mark.parametrize("main", [True, False])
def test_a_library_is_imported_to_its_end_for_the_trials_that_follow(
    main: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "imported_slowly", raising=False)
    found: list[tuple[object, str, float]] = []
    if main:
        found.append(run("imports", tmp_path))
    else:
        thread = threading.Thread(target=lambda: found.append(run("imports", tmp_path)))
        monkeypatch.setattr(time, "sleep", slices(time.sleep))
        thread.start()
        thread.join(PATIENCE)
    ((state, reason, cost),) = found
    assert (state, reason) == (TrialState.FAILED, "deadline: the trial took longer than 0.1 s")
    assert sys.modules["imported_slowly"].whole
    assert 0.6 <= cost < 15


def test_an_import_without_end_is_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "imported_slowly", raising=False)
    monkeypatch.setattr("automl.executors.inline.IMPORTING", 0.2)
    (tmp_path / "imported_slowly.py").write_text("import time\ntime.sleep(20)\n")
    monkeypatch.syspath_prepend(tmp_path)
    state, _, cost = run("imports", tmp_path)
    assert state is TrialState.FAILED
    assert LATE + 0.2 <= cost < 15
    assert "imported_slowly" not in sys.modules


def slices(sleep: Callable[[float], None]) -> Callable[[float], None]:
    """A sleep in Python: an exception reaches a thread between its instructions only."""

    def sliced(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            sleep(0.01)

    return sliced
