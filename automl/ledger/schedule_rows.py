"""The ledger's rows of schedules and their firings, with exactly the columns of `tables`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScheduleRow:
    """The schedule of a study. Slots up to `planned_until` have rows in the table of firings.

    `trusted`: its campaigns run code that the file names, wherever it is.
    """

    study: str
    file: str
    cron: str
    timezone: str
    catchup: float
    paused: bool
    planned_until: float
    created_at: float
    trusted: bool = False


@dataclass(frozen=True)
class FiringRow:
    """One planned start. `state`: ready, running, done, failed or skipped; `started_at`: its first start.

    `attempts`: how often in a row its campaign was killed before it had ended a trial.
    """

    id: int
    study: str
    slot: float
    state: str
    owner: str | None
    lease_until: float | None
    token: int
    attempts: int
    campaign: str | None
    reason: str | None
    started_at: float | None
    finished_at: float | None
