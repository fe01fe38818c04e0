"""A daemon and its campaigns are killed at every named moment: each slot is one campaign, and ends."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections import Counter
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

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["automl.schedule"])


def serve(store: Store, began: float, log: Path, fault: Fault) -> None:
    """The body of a daemon; its campaigns are forked from it, so they hear the same moments."""
    fault_points.arm("daemon", fault)
    schedule_worker.work(store, began, log)


class Daemon:
    """One daemon at a time on a store with a slot each second."""

    def __init__(self, store: Store, ledger: Ledger, folder: Path) -> None:
        self.store, self.ledger, self.folder = store, ledger, folder
        ledger.put_schedule(
            ScheduleRow("a", str(folder / "a.yaml"), "* * * * *", "UTC", 1e9, False, NOON, NOON)
        )
        self.began, self.faults = time.time(), 0

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
        process = self.start(Fault("daemon", moment, 1, "SIGKILL", str(mark)))
        end = time.monotonic() + 5.0
        while not mark.exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.05)
        process.kill()
        process.join()
        self.until_done(1)
        return mark.exists()


@pytest.mark.faults
def test_a_daemon_is_killed_at_every_moment(any_store: Store, any_ledger: Ledger, tmp_path: Path) -> None:
    daemon = Daemon(any_store, any_ledger, tmp_path)
    log = tmp_path / "moments"
    process = daemon.start(Fault(log=str(log)))
    while daemon.done() < 2:
        time.sleep(0.05)
    process.terminate()
    process.join(PATIENCE)
    moments = list(dict.fromkeys(line.split(" ", 1)[1] for line in log.read_text().splitlines()))
    assert len(moments) > 20
    came = [moment for moment in moments if daemon.kill_at(moment)]
    assert set(moments) - set(came) <= {
        f"transaction.{when}:Firings.release_firing" for when in ("begin", "commit", "end")
    }
    firings = any_ledger.firings()
    assert {firing.state for firing in firings} <= {"done", "skipped", "ready"}
    campaigns = Counter(firing.campaign for firing in firings if firing.campaign is not None)
    assert set(campaigns) == {row.id for row in any_ledger.campaigns()}
    assert set(campaigns.values()) == {1}
    assert {(row.state, row.recorded) for row in any_ledger.campaigns()} == {("finished", 2)}
    assert not [firing for firing in firings if firing.state == "done" and firing.campaign is None]
