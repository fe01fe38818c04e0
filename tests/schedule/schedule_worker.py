"""A scheduling daemon on a fast clock, for tests that kill it. Imports little: it starts often."""

from __future__ import annotations

import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from automl import schedule, storage
from automl.contracts import RunError
from automl.ledger import FiringRow, Ledger, ScheduleRow, Store, owner_identity
from automl.moments import around

NOON = 1768046400.0  # 2026-01-10 12:00 UTC
SPEED = 60  # seconds of the daemon's clock in one second: a slot a second


class Campaign:
    """The process of a campaign of 0.15 s, which outlives the daemon that started it."""

    def __init__(self, planned: ScheduleRow, firing: FiringRow, store: Store, log: Path) -> None:
        context = multiprocessing.get_context("fork")
        self.process = context.Process(target=campaign, args=(planned.study, firing.id, store))
        with around("process", "campaign"):
            self.process.start()
        self.kill, self.terminate = self.process.kill, self.process.terminate

    def poll(self) -> int | None:
        return self.process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self.process.join(timeout)
        if self.process.exitcode is None:
            raise subprocess.TimeoutExpired("campaign", timeout or 0.0)
        return self.process.exitcode


def campaign(study: str, firing: int, store: Store) -> None:
    """What a campaign does in the ledger, from its choice to the last record. Exit code 1: it may not."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with Ledger(store) as ledger:
        try:
            row = ledger.campaign_of_firing(firing) or ledger.create_campaign(study, {}, "d", {}, firing)
            if row.recorded == 2:
                raise RunError("it is complete")
            token = ledger.acquire(row.id, owner_identity())
        except RunError:
            sys.exit(1)
        time.sleep(0.1)
        ledger.finish_campaign(row.id, token)
        time.sleep(0.05)
        ledger.mark_campaign_recorded(row.id, 2)
        ledger.release(row.id, token)


def work(store: Store, began: float, log: Path) -> None:
    """Serve `store`; a line in `log` says that this process has ended a firing, and by which claim of it."""
    finish = Ledger.finish_firing

    def noted(self: Ledger, firing: FiringRow, *args: Any) -> bool:
        ended = finish(self, firing, *args)
        if ended:
            with log.open("a") as file:
                file.write(f"{firing.study} {firing.slot}:{firing.token}\n")
        return ended

    Ledger.finish_firing = noted  # type: ignore[method-assign]
    storage.LOOKED_UP = 0  # type: ignore[misc]  # what these campaigns recorded is not in MLflow
    clock = lambda: NOON + max(0.0, time.time() - began) * SPEED  # noqa: E731
    schedule.serve(store, Campaign, poll=0.05, clock=clock)
