from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from patience import PATIENCE
from schedule_examples import HOUR, NOON, Done, Runs, row, states

from automl import schedule
from automl.ledger import FiringRow, Ledger, ScheduleRow, Store, owner_identity
from automl.schedule import daemon


def test_a_slot_starts_once_it_has_come(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()
    runs = Runs()
    assert schedule.tick(any_store, runs, now=NOON + HOUR - 1) == []
    (firing,) = schedule.tick(any_store, runs, now=NOON + HOUR)
    assert (firing.slot, firing.state, firing.attempts) == (NOON + HOUR, "done", 0)
    assert schedule.tick(any_store, runs, now=NOON + HOUR + 1) == []
    assert runs.started == ["nightly"]


def test_of_missed_slots_the_newest_starts(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()
    schedule.tick(any_store, Runs(), now=NOON + 5.5 * HOUR)
    assert states(any_ledger) == [(1, "skipped"), (2, "skipped"), (3, "skipped"), (4, "skipped"), (5, "done")]
    assert any_ledger.firings()[0].reason == "a newer slot was missed too"


@pytest.mark.parametrize(("catchup", "state"), [(1799.0, "skipped"), (1801.0, "done")])
def test_catchup_is_how_late_a_missed_slot_may_start(
    any_ledger: Ledger, any_store: Store, planned: Any, catchup: float, state: str
) -> None:
    planned(catchup=catchup)
    schedule.tick(any_store, Runs(), now=NOON + 1.5 * HOUR)
    assert states(any_ledger) == [(1, state)]


def test_without_catchup_a_punctual_slot_still_starts(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned(catchup=0.0)
    schedule.tick(any_store, Runs(), now=NOON + HOUR + 60)
    assert states(any_ledger) == [(1, "done")]


def test_a_long_absence_leaves_few_rows(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()
    schedule.tick(any_store, Runs(), now=NOON + 5000 * HOUR)
    assert [state for _, state in states(any_ledger)] == ["skipped"] * 23 + ["done"]


def test_a_ready_slot_that_nobody_looked_for_is_skipped_too(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned(cron="0 13 * * *")
    any_ledger.plan(schedule.slots_between, NOON + HOUR)
    assert states(any_ledger) == [(1, "ready")]
    schedule.tick(any_store, Runs(), now=NOON + 10 * HOUR)
    assert states(any_ledger) == [(1, "skipped")]


@pytest.mark.slow
def test_clocks_that_jump(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    """Forward 3 h, back 2 h, right again: every slot has one row, and none starts twice."""
    planned()
    runs = Runs()
    for hours in (1, 4, 2, 2.5, 3, 4, 5, 6):
        schedule.tick(any_store, runs, now=NOON + hours * HOUR)
    assert states(any_ledger) == [
        (1, "done"),
        (2, "skipped"),
        (3, "skipped"),
        (4, "done"),
        (5, "done"),
        (6, "done"),
    ]
    assert len(runs.started) == 4


@pytest.mark.slow
def test_a_clock_that_was_years_ahead_does_not_silence_a_schedule(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    schedule.tick(any_store, Runs(), now=NOON + 30000 * HOUR)
    assert schedule.tick(any_store, Runs(), now=NOON + HOUR / 2) == []
    for hours in (1, 2):
        (firing,) = schedule.tick(any_store, Runs(), now=NOON + hours * HOUR)
        assert firing.slot == NOON + hours * HOUR


@pytest.mark.slow
def test_a_failure_is_reported_and_the_next_slot_starts(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    (firing,) = schedule.tick(any_store, Runs(2, "first\nthe rule: no such file\n\n"), now=NOON + HOUR)
    assert (firing.state, firing.campaign) == ("failed", None)
    assert firing.reason is not None and firing.reason.startswith("exit code 2: the rule: no such file (see ")
    (firing,) = schedule.tick(any_store, Runs(0), now=NOON + 2 * HOUR)
    assert firing.state == "done"


@pytest.mark.slow
def test_what_failed_while_running_is_continued_after_a_while_but_not_for_ever(
    any_ledger: Ledger, any_store: Store, planned: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(daemon, "WAITS", (0.05, 0.1))
    planned()
    runs = Runs(1, "the disk is full")
    (firing,) = schedule.tick(any_store, runs, now=NOON + HOUR)
    assert (firing.state, len(runs.started)) == ("failed", 3)
    assert firing.reason is not None and firing.reason.startswith("exit code 1: the disk is full (see ")
    served: list[Done] = []

    def later(planned: ScheduleRow, firing: FiringRow, store: Store, log: Path) -> Done:
        served.append(Done(1 if len(served) < 2 else 0))
        return served[-1]

    (firing,) = schedule.tick(any_store, later, now=NOON + 2 * HOUR)
    assert (firing.state, len(served)) == ("done", 3)


def test_the_campaign_is_noted(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()

    def run(planned: ScheduleRow, firing: FiringRow, store: Store, log: Path) -> Done:
        campaign = any_ledger.create_campaign(planned.study, {}, "d", {}, firing.id)
        any_ledger.finish_campaign(campaign.id, any_ledger.acquire(campaign.id, owner_identity()))
        return Done(0)

    (firing,) = schedule.tick(any_store, run, now=NOON + HOUR)
    assert firing.campaign == "nightly-1"


@pytest.mark.slow
def test_a_study_never_overlaps_itself_and_never_blocks_another(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned("long")
    planned("short", cron="30 * * * *")
    clock = [NOON + HOUR]
    runs = Runs(status=None)
    worker = daemon.Daemon(any_ledger, any_store, runs, lambda: clock[0])

    def step() -> None:
        worker.plan(schedule.slots_between)
        while worker.claim():
            pass
        worker.watch()

    step()  # 13:00 long
    assert runs.started == ["short", "long"]
    runs.processes[0].status = 0
    for _ in range(6):
        clock[0] += HOUR / 2
        step()
        runs.processes[-1].status = 0 if len(runs.processes) > 2 else None
        step()
    assert runs.started == ["short", "long", "short", "short", "short"]
    assert states(any_ledger, "long") == [(1, "running"), (2, "skipped"), (3, "skipped"), (4, "ready")]
    runs.processes[1].status = 0
    step()
    step()
    assert runs.started[-1] == "long"
    assert states(any_ledger, "long")[-1] == (4, "running")


def test_a_slot_waits_for_a_campaign_started_by_hand(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    campaign = any_ledger.create_campaign("nightly", {}, "d", {})
    token = any_ledger.acquire(campaign.id, owner_identity())
    runs = Runs()
    assert schedule.tick(any_store, runs, now=NOON + HOUR) == []
    assert schedule.tick(any_store, runs, now=NOON + HOUR + 10) == []
    assert states(any_ledger) == [(1, "ready")]
    any_ledger.release(campaign.id, token)
    (firing,) = schedule.tick(any_store, runs, now=NOON + HOUR + 20)
    assert (firing.state, runs.started) == ("done", ["nightly"])


def test_a_program_that_cannot_be_started_fails_the_firing(any_store: Store, planned: Any) -> None:
    def run(*_: object) -> Done:
        raise FileNotFoundError("no such program")

    planned()
    (firing,) = schedule.tick(any_store, run, now=NOON + HOUR)
    assert firing.state == "failed" and "could not be started: no such program" in str(firing.reason)


def test_the_real_command_gets_file_and_store(store: Store, tmp_path: Path, monkeypatch: Any) -> None:
    """A stand-in for Python writes down how it was called."""
    program = tmp_path / "python"
    program.write_text('#!/bin/sh\necho "$@" "$AUTOML_STORE"\n')
    program.chmod(0o755)
    monkeypatch.setattr(daemon.sys, "executable", str(program))
    firing = SimpleNamespace(id=7)
    process = daemon.launch_run(row("0 2 * * *"), firing, store, tmp_path / "log")  # type: ignore[arg-type]
    assert process.wait(PATIENCE) == 0
    assert (tmp_path / "log").read_text() == f"-P -m automl.cli run --firing 7 s.yaml {store.folder}\n"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_daemon_ends_when_it_is_asked_to(store: Store, number: signal.Signals) -> None:
    code = "from automl.schedule import serve; from automl.ledger import resolve_store\n"
    code += "serve(resolve_store(), poll=0.05, clock=lambda: print('up', flush=True))\nprint('down')"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=store.folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out.replace("up\n", ""), err) == (0, "down\n", "")
