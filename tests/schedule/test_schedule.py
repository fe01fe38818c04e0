from __future__ import annotations

import multiprocessing
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import schedule_worker

from automl import schedule
from automl.config.study import Schedule
from automl.contracts import UserError
from automl.ledger import FiringRow, Ledger, ScheduleRow, Store, owner_identity
from automl.schedule import daemon

HOUR = 3600.0
NOON = schedule_worker.NOON


def study(name: str = "nightly", **keys: Any) -> Any:
    keys = {"cron": "0 * * * *", **keys}
    return SimpleNamespace(name=name, schedule=Schedule(**keys) if keys["cron"] else None)


def row(cron: str, timezone: str = "UTC") -> ScheduleRow:
    return ScheduleRow("s", "s.yaml", cron, timezone, 3600, False, 0.0, 0.0)


def moments(cron: str, timezone: str, first: str, last: str) -> list[str]:
    zone = ZoneInfo(timezone)
    start, end = (datetime.fromisoformat(text).replace(tzinfo=zone).timestamp() for text in (first, last))
    slots = schedule.slots_between(row(cron, timezone), start, end)
    return [datetime.fromtimestamp(slot, zone).isoformat() for slot in slots]


@dataclass
class Done:
    """A campaign that ends at once, or when it is told to."""

    status: int | None = 0

    def poll(self) -> int | None:
        return self.status

    def terminate(self) -> None:
        self.status = 143

    def kill(self) -> None:
        self.status = -9

    def wait(self, timeout: float | None = None) -> int:
        return 0 if self.status is None else self.status


class Runs:
    """Notes what is launched and answers with processes of a given status."""

    def __init__(self, status: int | None = 0, text: str = "") -> None:
        self.started: list[str] = []
        self.processes: list[Done] = []
        self.status, self.text = status, text

    def __call__(self, planned: ScheduleRow, store: Store, log: Path) -> Done:
        self.started.append(planned.study)
        log.write_text(self.text)
        self.processes.append(Done(self.status))
        return self.processes[-1]


@pytest.fixture
def planned(any_ledger: Ledger, tmp_path: Path) -> Callable[..., ScheduleRow]:
    """Adds a study whose schedule has been looked at until NOON + 1 s."""

    def add(name: str = "nightly", **keys: Any) -> ScheduleRow:
        added = schedule.add(any_ledger, study(name, **keys), tmp_path / f"{name}.yaml")
        any_ledger.put_schedule(ScheduleRow(**{**vars(added), "planned_until": NOON + 1}))
        return added

    return add


def states(ledger: Ledger, name: str | None = None) -> list[tuple[int, str]]:
    """Hours after noon and state of all firings."""
    return [(round((firing.slot - NOON) / HOUR), firing.state) for firing in ledger.firings(name)]


def test_a_time_that_does_not_exist_fires_once_right_after() -> None:
    found = moments("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-30T12:00")
    assert found == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]


def test_a_time_that_comes_twice_fires_at_the_first() -> None:
    found = moments("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-26T12:00")
    assert found == ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]


@pytest.mark.parametrize("day", ["2026-03-29", "2026-10-25"])
@pytest.mark.parametrize("cron", ["30 2 * * *", "*/15 * * * *", "0 */2 * * *", "15,45 1-3 * * *"])
def test_slots_do_not_depend_on_how_often_one_looks(day: str, cron: str) -> None:
    """Looking every 7 minutes over a change of clocks finds each slot of one long look, once."""
    zone = ZoneInfo("Europe/Berlin")
    start = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=zone).timestamp()
    end = start + 6 * HOUR
    whole = list(schedule.slots_between(row(cron, "Europe/Berlin"), start, end))
    pieces: list[float] = []
    now = start
    while now < end:
        pieces += schedule.slots_between(row(cron, "Europe/Berlin"), now, min(now + 420, end))
        now += 420
    assert pieces == whole == sorted(set(whole))
    assert len(whole) >= 1


def test_next_slot_is_shown_in_its_zone() -> None:
    found = schedule.next_slot(row("0 2 * * *", "Europe/Paris"), NOON)
    assert found.isoformat() == "2026-01-11T02:00:00+01:00"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"cron": "0 0 2 * * *"}, "five fields"),
        ({"cron": "0 2 * *"}, "five fields"),
        ({"cron": "0 0 31 2 *"}, "0 0 31 2"),
        ({"cron": "61 * * * *"}, "61"),
        ({"cron": "0 2 * * *", "timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"cron": "0 2 * * *", "timezone": "../etc/passwd"}, "passwd"),
        ({"cron": None}, "has none"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused(ledger: Ledger, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        schedule.add(ledger, study(**keys), Path("x.yaml"))
    assert schedule.list_schedules(ledger) == []


def test_adding_again_replaces(any_ledger: Ledger, planned: Any, tmp_path: Path) -> None:
    planned()
    planned("other")
    schedule.pause(any_ledger, "nightly")
    schedule.add(
        any_ledger, study(cron="5 4 * * *", timezone="Asia/Tokyo", catchup=60.0), tmp_path / "b.yaml"
    )
    first, second = schedule.list_schedules(any_ledger)
    assert (first.study, first.cron, first.timezone, first.catchup) == (
        "nightly",
        "5 4 * * *",
        "Asia/Tokyo",
        60.0,
    )
    assert first.file == str(tmp_path / "b.yaml") and first.paused
    assert second.study == "other"


def test_unknown_names_are_told_with_the_nearest(ledger: Ledger) -> None:
    schedule.add(ledger, study(), Path("x.yaml"))
    for act in (schedule.remove, schedule.pause, schedule.resume):
        with pytest.raises(UserError, match="did you mean 'nightly'"):
            act(ledger, "nihgtly")


def test_a_slot_starts_once_it_has_come(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()
    runs = Runs()
    assert schedule.tick(any_store, runs, now=NOON + HOUR - 1) == []
    (firing,) = schedule.tick(any_store, runs, now=NOON + HOUR)
    assert (firing.slot, firing.state, firing.attempts) == (NOON + HOUR, "done", 1)
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


def test_a_clock_that_was_years_ahead_does_not_silence_a_schedule(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    schedule.tick(any_store, Runs(), now=NOON + 30000 * HOUR)
    assert schedule.tick(any_store, Runs(), now=NOON + HOUR / 2) == []
    for hours in (1, 2):
        (firing,) = schedule.tick(any_store, Runs(), now=NOON + hours * HOUR)
        assert firing.slot == NOON + hours * HOUR


def test_a_pause_is_not_made_up_for(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()
    any_ledger.plan(schedule.slots_between, NOON + HOUR)
    schedule.pause(any_ledger, "nightly")
    runs = Runs()
    assert schedule.tick(any_store, runs, now=NOON + 2 * HOUR) == []
    assert any_ledger.pause_schedule("nightly", False, NOON + 3.5 * HOUR)
    schedule.tick(any_store, runs, now=NOON + 3.6 * HOUR)
    schedule.tick(any_store, runs, now=NOON + 4 * HOUR)
    assert states(any_ledger) == [(1, "skipped"), (4, "done")]


def test_resuming_what_is_not_paused_changes_nothing(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    any_ledger.plan(schedule.slots_between, NOON + HOUR)
    schedule.resume(any_ledger, "nightly")
    assert states(any_ledger) == [(1, "ready")]
    assert schedule.list_schedules(any_ledger)[0].planned_until == NOON + HOUR


def test_a_removed_schedule_starts_nothing_more(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()
    any_ledger.plan(schedule.slots_between, NOON + HOUR)
    schedule.remove(any_ledger, "nightly")
    assert schedule.tick(any_store, Runs(), now=NOON + 2 * HOUR) == []
    assert states(any_ledger) == [(1, "skipped")]


def test_a_failure_is_told_and_the_next_slot_starts(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    (firing,) = schedule.tick(any_store, Runs(2, "first\nthe rule: no such file\n\n"), now=NOON + HOUR)
    assert (firing.state, firing.campaign) == ("failed", None)
    assert firing.reason is not None and firing.reason.startswith("exit code 2: the rule: no such file (see ")
    (firing,) = schedule.tick(any_store, Runs(0), now=NOON + 2 * HOUR)
    assert firing.state == "done"


def test_the_campaign_is_noted(any_ledger: Ledger, any_store: Store, planned: Any) -> None:
    planned()

    def run(planned: ScheduleRow, store: Store, log: Path) -> Done:
        campaign = any_ledger.create_campaign(planned.study, {}, "d", {})
        any_ledger.finish_campaign(campaign.id, any_ledger.acquire(campaign.id, owner_identity()))
        return Done(0)

    (firing,) = schedule.tick(any_store, run, now=NOON + HOUR)
    assert firing.campaign == "nightly-1"


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


def abandoned(ledger: Ledger) -> FiringRow:
    """A firing that a dead process of this host had taken."""
    host = owner_identity().rsplit(":", 2)[0]
    ledger.plan(schedule.slots_between, NOON + HOUR)
    firing = ledger.claim_firing(f"{host}:999999999:1", 1e9, NOON + HOUR)
    assert firing is not None
    return firing


def test_a_firing_whose_process_was_killed_is_taken_up_at_once(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    lost = abandoned(any_ledger)
    runs = Runs()
    (firing,) = schedule.tick(any_store, runs, now=NOON + 100 * HOUR)[:1]
    assert (firing.slot, firing.state, firing.attempts, firing.token) == (
        lost.slot,
        "done",
        2,
        lost.token + 1,
    )
    assert not any_ledger.finish_firing(lost, "failed", None, "late")
    assert not any_ledger.extend_firing(lost, 10.0)
    assert any_ledger.firings()[0].state == "done"


def test_a_firing_elsewhere_is_taken_up_after_its_lease(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    any_ledger.plan(schedule.slots_between, NOON + HOUR)
    firing = any_ledger.claim_firing("elsewhere-0:1:1", 30.0, NOON + HOUR)
    assert firing is not None
    assert any_ledger.claim_firing(owner_identity(), 30.0, NOON + HOUR + 30) is None
    assert any_ledger.extend_firing(firing, 30.0, NOON + HOUR + 30)
    assert any_ledger.claim_firing(owner_identity(), 30.0, NOON + HOUR + 59) is None
    assert any_ledger.claim_firing(owner_identity(), 30.0, NOON + HOUR + 61) is not None
    assert not any_ledger.extend_firing(firing, 30.0, NOON + HOUR + 61)


def test_a_campaign_that_outlived_its_daemon_is_waited_for_not_doubled(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    abandoned(any_ledger)
    campaign = any_ledger.create_campaign("nightly", {}, "d", {})
    token = any_ledger.acquire(campaign.id, owner_identity())
    runs = Runs()
    worker = daemon.Daemon(any_ledger, any_store, runs, lambda: NOON + HOUR)
    assert worker.claim()
    worker.watch()
    worker.watch()
    assert runs.started == []
    any_ledger.finish_campaign(campaign.id, token)
    any_ledger.mark_campaign_recorded(campaign.id, 2)
    worker.watch()
    (firing,) = any_ledger.firings()
    assert (firing.state, firing.campaign, runs.started) == ("done", "nightly-1", [])


def test_a_campaign_that_is_killed_is_tried_again_but_not_for_ever(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    runs = Runs(status=-9)
    (firing,) = schedule.tick(any_store, runs, now=NOON + HOUR)
    assert (firing.state, firing.reason) == ("failed", "interrupted 10 times")
    assert len(runs.started) == 10


def test_a_stopped_daemon_leaves_its_firing_to_the_next(
    any_ledger: Ledger, any_store: Store, planned: Any
) -> None:
    planned()
    runs = Runs(status=None)
    worker = daemon.Daemon(any_ledger, any_store, runs, lambda: NOON + HOUR)
    worker.plan(schedule.slots_between)
    assert worker.claim()
    worker.watch()
    worker.close()
    assert runs.processes[0].status == 143
    (firing,) = any_ledger.firings()
    assert (firing.state, firing.owner) == ("running", None)
    schedule.tick(any_store, Runs(0), now=NOON + HOUR + 1)
    assert states(any_ledger) == [(1, "done")]


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
    process = daemon.launch_run(row("0 2 * * *"), store, tmp_path / "log")
    assert process.wait(10) == 0
    assert (tmp_path / "log").read_text() == f"-m automl.cli run s.yaml {store.folder}\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_daemon_ends_when_it_is_asked_to(store: Store, number: signal.Signals) -> None:
    code = "from automl.schedule import serve; from automl.ledger import resolve_store\n"
    code += "print('up', flush=True)\nserve(resolve_store(), poll=0.05)\nprint('down')"
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=store.folder.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.5)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (0, "down\n", "")


SLOTS = 40


@pytest.mark.slow
def test_four_daemons_and_kills(any_store: Store, any_ledger: Ledger, tmp_path: Path) -> None:
    """Every slot that is not skipped ends exactly once, whoever is killed when."""
    rng = random.Random(3)
    for name in ("a", "b"):
        added = schedule.add(any_ledger, study(name, cron="* * * * *", catchup=86400.0), tmp_path / "x.yaml")
        any_ledger.put_schedule(ScheduleRow(**{**vars(added), "planned_until": NOON}))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["automl.schedule"])
    began, log = time.time() + 5.0, tmp_path / "ended"

    def start() -> Any:
        process = context.Process(target=schedule_worker.work, args=(any_store, began, log))
        process.start()
        return process

    processes = [start() for _ in range(4)]
    kills = 0
    while time.time() < began + SLOTS * 60 / schedule_worker.SPEED + 0.5:
        time.sleep(rng.uniform(0.3, 1.2))
        victim = rng.randrange(4)
        processes[victim].kill()
        processes[victim].join()
        processes[victim] = start()
        kills += 1
    deadline = time.time() + 60
    while time.time() < deadline and {f.state for f in any_ledger.firings()} & {"running", "ready"}:
        time.sleep(0.05)
    for process in processes:
        process.terminate()
        process.join(30)
        assert process.exitcode in (0, -signal.SIGTERM)  # one just started does not serve yet
    rows = [firing for firing in any_ledger.firings() if firing.slot <= NOON + SLOTS * 60]
    assert kills > 20
    for name in ("a", "b"):
        mine = [firing for firing in rows if firing.study == name]
        assert [firing.slot for firing in mine] == [NOON + 60 * number for number in range(1, SLOTS + 1)]
        assert Counter(firing.state for firing in mine)["done"] >= SLOTS // 2
    assert {firing.state for firing in rows} <= {"done", "skipped"}
    claims = set(log.read_text().split("\n")[:-1])  # one that is told to stop just then ends it once more
    ended = Counter(line.rpartition(":")[0] for line in claims)
    assert set(ended.values()) == {1}
    done = {f"{f.study} {f.slot}" for f in any_ledger.firings() if f.state == "done"}
    assert set(ended) <= done  # a daemon killed between its commit and its note leaves one out
    assert len(done) - len(ended) <= kills
