"""A scheduling daemon on a fast clock, for tests that kill it. Imports little: it starts often."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from automl import schedule
from automl.ledger import FiringRow, Ledger, Store

NOON = 1768046400.0  # 2026-01-10 12:00 UTC
SPEED = 60  # seconds of the daemon's clock in one second: a slot a second


class Timed:
    """A campaign of 0.15 s inside the daemon: it dies with it."""

    def __init__(self) -> None:
        self.end = time.monotonic() + 0.15

    def poll(self) -> int | None:
        return 0 if time.monotonic() > self.end else None

    def terminate(self) -> None:
        pass

    def kill(self) -> None:
        pass

    def wait(self, timeout: float | None = None) -> int:
        return 143


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
    clock = lambda: NOON + max(0.0, time.time() - began) * SPEED  # noqa: E731
    schedule.serve(store, lambda *_: Timed(), poll=0.05, clock=clock)
