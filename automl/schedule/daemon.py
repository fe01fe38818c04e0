"""Runs firings: a process for each, which is watched, held with a lease, and started again when killed."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from automl.ledger import CampaignRow, FiringRow, Ledger, ScheduleRow, Store, owner_identity
from automl.ledger.schedules import SlotsBetween
from automl.moments import around
from automl.promoting.at_end import is_owed
from automl.schedule.telling import tell_of_failed

LEASE: Final = 30.0  # seconds without a sign after which another process may claim a firing
MAX_KILLS: Final = 10  # in a row without the end of a trial, after which a firing has failed
# seconds until what failed while running (a full disk, a store away) goes on, in a row without an ended trial
WAITS: Final = (10.0, 30.0, 90.0)
FAILED_RUNNING: Final = 1  # the exit status for what may pass; 2 is a mistake of the user
RECORDED: Final = 2  # `recorded` of a campaign that is complete in MLflow
GRACE: Final = 60.0  # seconds that a campaign has to end when the daemon is stopped


class Process(Protocol):
    """The process of a campaign, with the methods of `subprocess.Popen` that a daemon needs."""

    def poll(self) -> int | None:
        """The exit status, None while it runs."""

    def terminate(self) -> None:
        """Ask it to stop."""

    def kill(self) -> None:
        """End it at once."""

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end."""


Launch: TypeAlias = Callable[[ScheduleRow, FiringRow, Store, Path], Process]
Clock: TypeAlias = Callable[[], float | None]


def launch_run(schedule: ScheduleRow, firing: FiringRow, store: Store, log: Path) -> Process:
    """`automl run FILE` on `store` for a firing, in a process of its own, whose output goes to `log`."""
    environ = dict(os.environ)
    if store.url.startswith("sqlite"):
        environ["AUTOML_STORE"] = str(store.folder)
    command = [sys.executable, "-P", "-m", "automl.cli", "run", "--firing", str(firing.id), schedule.file]
    command += ["--trust"] if schedule.trusted else []
    with log.open("ab") as output, around("process", "campaign"):
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,  # Ctrl-C reaches the daemon only, which asks the campaign to stop
        )


@dataclass
class _Run:
    """A firing of this daemon. `process` None: not started, or another process runs the campaign.

    `ended`: the trials of its campaign that had ended when it was claimed or its process was started.
    `failures` in a row without one; it is not started again before the monotonic time `due`.
    """

    firing: FiringRow
    log: Path
    kept_at: float
    process: Process | None = None
    ended: int = 0
    failures: int = 0
    due: float = 0.0


@dataclass
class Daemon:
    """The firings that one process has claimed. `clock` returns POSIX seconds, None: the store's clock.

    `tell` takes a line about each firing that has ended.
    """

    ledger: Ledger
    store: Store
    launch: Launch
    clock: Clock
    active: list[_Run] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    tell: Callable[[str], None] = lambda text: None
    telling: list[threading.Thread] = field(default_factory=list)

    def plan(self, slots_between: SlotsBetween) -> None:
        """Write a row for each slot that has come."""
        self.ledger.plan(slots_between, self.clock())

    def claim(self) -> bool:
        """Claim one firing that may run, if there is one."""
        held = [run.firing.id for run in self.active]
        firing = self.ledger.claim_firing(owner_identity(), LEASE, self.clock(), held=held)
        if firing is None:
            return False
        logs = self.store.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        slot = datetime.fromtimestamp(firing.slot, UTC).strftime("%Y%m%dT%H%MZ")
        run = _Run(firing, logs / f"{firing.study}-{slot}.log", time.time())
        run.ended = self._ended_trials(self.ledger.campaign_of_firing(firing.id))
        self.active.append(run)
        return True

    def watch(self) -> None:
        """Renew the leases of our firings, start and end their campaigns."""
        for run in list(self.active):
            if abs(time.time() - run.kept_at) > LEASE / 3:
                run.kept_at = time.time()
                if not self.ledger.extend_firing(run.firing, LEASE, self.clock()):
                    self._lose(run)
                    continue
            self._step(run)

    def close(self) -> None:
        """Ask our campaigns to stop and release their firings to the next daemon."""
        for run in self.active:
            if run.process is not None:
                self.ledger.extend_firing(run.firing, GRACE + LEASE, self.clock())
                run.process.terminate()
        for thread in self.telling:
            thread.join()
        deadline = time.monotonic() + GRACE
        for run in list(self.active):
            if run.process is not None and _wait(run.process, deadline - time.monotonic()) == 0:
                self._end(run, "done", None)
            else:
                self._leave(run, run.firing.attempts)

    def _step(self, run: _Run) -> None:
        status = None if run.process is None else run.process.poll()
        runs = run.process is not None and status is None
        if runs and not run.firing.attempts:
            return
        campaign = self.ledger.campaign_of_firing(run.firing.id)
        self._note_progress(run, campaign)
        if runs:
            return
        if status == 0:
            self._end(run, "done", None)
        elif campaign is not None and self.ledger.is_driven(campaign):
            run.process = None  # another process runs it: started by hand, or by a daemon that was killed
        elif campaign is not None and campaign.recorded >= RECORDED and not is_owed(self.ledger, campaign):
            self._end(run, "done", None)
        elif status is None:
            if time.monotonic() >= run.due:
                self._start(run, campaign)
        elif status < 0:
            self._killed(run)
        elif status == FAILED_RUNNING:
            self._failed(run, campaign)
        else:
            self._end(run, "failed", _reason(run.log, status))

    def _note_progress(self, run: _Run, campaign: CampaignRow | None) -> None:
        """Forget earlier kills once a trial has ended: a daemon that takes over cannot know that."""
        if run.firing.attempts and self._ended_trials(campaign) > run.ended:
            self.ledger.forget_kills(run.firing)
            run.firing = replace(run.firing, attempts=0)

    def _killed(self, run: _Run) -> None:
        """Try again, unless it is killed each time before it gets anywhere."""
        kills = run.firing.attempts + 1
        if kills >= MAX_KILLS:
            why = f"its process was killed {kills} times before it had ended a trial (see {run.log})"
            self._end(run, "failed", why)
        else:
            self._leave(run, kills)

    def _failed(self, run: _Run, campaign: CampaignRow | None) -> None:
        """Continue after a while what failed while running, unless that does not help."""
        run.failures = 1 if self._ended_trials(campaign) > run.ended else run.failures + 1
        if run.failures > len(WAITS):
            self._end(run, "failed", _reason(run.log, FAILED_RUNNING))
        else:
            run.process, run.due = None, time.monotonic() + WAITS[run.failures - 1]

    def _ended_trials(self, campaign: CampaignRow | None) -> int:
        return 0 if campaign is None else self.ledger.ended_trials(campaign.id)

    def _start(self, run: _Run, campaign: CampaignRow | None) -> None:
        schedules = {schedule.study: schedule for schedule in self.ledger.schedules()}
        schedule = schedules.get(run.firing.study)
        if schedule is None:
            self._end(run, "failed", "the schedule was removed")
            return
        try:
            run.ended = self._ended_trials(campaign)
            run.process = self.launch(schedule, run.firing, self.store, run.log)
        except OSError as error:
            self._end(run, "failed", f"the campaign could not be started: {error}")

    def _end(self, run: _Run, state: str, reason: str | None) -> None:
        if self.ledger.finish_firing(run.firing, state, reason, self.clock()):
            self.ended.add(run.firing.id)
            self.tell(f"{run.firing.study}: {state}{f', {reason}' if reason else ''}")
            if state == "failed":
                self._announce(run.firing.id)
        elif (found := self.ledger.firing(run.firing.id)) is not None and found.state == "skipped":
            self.ended.add(found.id)  # its process found that nothing has changed
            self.tell(f"{found.study}: skipped, {found.reason}")
        self.active.remove(run)

    def _announce(self, firing: int) -> None:
        """Tell of a failed firing beside the others, whose leases must be renewed meanwhile."""
        if (row := self.ledger.firing(firing)) is not None:
            work = threading.Thread(target=tell_of_failed, args=(self.ledger, row), daemon=True)
            work.start()
            self.telling.append(work)

    def _leave(self, run: _Run, kills: int) -> None:
        self.ledger.release_firing(run.firing, kills)
        self.active.remove(run)

    def _lose(self, run: _Run) -> None:
        """Give up a firing that another process has claimed; that one waits while our campaign still runs."""
        if run.process is not None:
            run.process.terminate()
            _wait(run.process, GRACE)
        self.active.remove(run)


def _wait(process: Process, seconds: float) -> int:
    try:
        return process.wait(timeout=max(seconds, 0.1))
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _reason(log: Path, status: int) -> str:
    """The last line of the campaign's log, and the path of the log."""
    text = log.read_text(encoding="utf-8", errors="replace").strip() if log.exists() else ""
    last = text.split("\n")[-1].strip() or "it wrote nothing"
    return f"exit code {status}: {last[:500]} (see {log})"
