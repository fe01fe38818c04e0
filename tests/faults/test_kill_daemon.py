"""A daemon and its campaigns are killed at every named moment: each slot is one campaign, and ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import fault_points
import pytest
from fault_points import Fault
from patience import PATIENCE

sys.path.append(str(Path(__file__).parents[1] / "schedule"))
import schedule_worker
from schedule_worker import NOON

from automl.ledger import Ledger, ScheduleRow, Store
from automl.schedule import daemon

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["automl.schedule"])


def serve(store: Store, began: float, log: Path, fault: Fault) -> None:
    """The body of a daemon; its campaigns are forked from it, so they hear the same moments."""
    fault_points.arm("daemon", fault)
    daemon.LEASE = 0.6  # type: ignore[misc]  # so that it is renewed
    schedule_worker.work(store, began, log)


class Daemons:
    """One daemon at a time on a store with a slot each second."""

    def __init__(self, store: Store, ledger: Ledger, folder: Path) -> None:
        self.store, self.ledger, self.folder = store, ledger, folder
        ledger.put_schedule(
            ScheduleRow("a", str(folder / "a.yaml"), "* * * * *", "UTC", 1e9, False, NOON, NOON)
        )
        self.began, self.faults, self.log = time.time(), 0, folder / "moments"

    def start(self, fault: Fault) -> Any:
        process = CONTEXT.Process(target=serve, args=(self.store, self.began, self.folder / "ended", fault))
        process.start()
        return process

    def until_done(self, slots: int) -> None:
        """Serve until that many more slots have been done."""
        process = self.start(Fault())
        wanted = self.done() + slots
        end = time.monotonic() + PATIENCE
        while self.done() < wanted and time.monotonic() < end:
            time.sleep(0.02)
        process.terminate()
        process.join(PATIENCE)

    def done(self) -> int:
        return Counter(firing.state for firing in self.ledger.firings())["done"]

    def kill_at(self, moment: str) -> bool:
        """Serve until a process was killed at a moment, then let another daemon finish; whether it came."""
        self.faults += 1
        mark = self.folder / f"mark-{self.faults}"
        process = self.start(Fault("daemon", moment, 1, "SIGKILL", str(mark), str(self.log)))
        end = time.monotonic() + 5.0
        while not mark.exists() and time.monotonic() < end:
            time.sleep(0.01)
            if "release_firing" in moment:  # which follows the death of a campaign
                self.kill_campaign()
        time.sleep(0.3)  # if it was a campaign's process, its daemon takes note
        process.kill()
        process.join()
        self.until_done(1)
        return mark.exists()

    def kill_campaign(self) -> None:
        """Kill the process of the running campaign, if there is one."""
        for row in self.ledger.campaigns():
            if row.owner is not None and row.state == "running":
                with suppress(ProcessLookupError):
                    os.kill(int(row.owner.rsplit(":", 2)[1]), signal.SIGKILL)

    @property
    def moments(self) -> list[str]:
        """Those that have come so far, in the order of their first time."""
        return list(dict.fromkeys(line.split(" ", 1)[1] for line in self.log.read_text().splitlines()))


@pytest.mark.faults
def test_a_daemon_is_killed_at_every_moment(any_store: Store, any_ledger: Ledger, tmp_path: Path) -> None:
    daemons = Daemons(any_store, any_ledger, tmp_path)
    process = daemons.start(Fault(log=str(daemons.log)))
    while daemons.done() < 2:
        time.sleep(0.05)
    process.terminate()
    process.join(PATIENCE)
    came: dict[str, bool] = {}
    while new := [moment for moment in daemons.moments if moment not in came]:
        came |= {moment: daemons.kill_at(moment) for moment in new}
    assert len(came) > 27
    assert [moment for moment, happened in came.items() if not happened] == []
    firings = any_ledger.firings()
    assert {firing.state for firing in firings} <= {"done", "skipped", "ready"}
    campaigns = Counter(firing.campaign for firing in firings if firing.campaign is not None)
    assert set(campaigns) == {row.id for row in any_ledger.campaigns()}
    assert set(campaigns.values()) == {1}
    assert {(row.state, row.recorded) for row in any_ledger.campaigns()} == {("finished", 2)}
    assert not [firing for firing in firings if firing.state == "done" and firing.campaign is None]
