"""The attempts of trials that have ended: how, why and at what cost."""

from __future__ import annotations

from typing import Any, Final

import sqlalchemy as sa

from automl.contracts import Ending
from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.rows import AttemptRow
from automl.ledger.tables import RUNNING, Values, attempts, searches, trials

_NAMES: Final = (
    "trial", "attempt", "token", "ending", "reason", "device_seconds", "host", "started_at", "finished_at",
)  # fmt: skip


def _new(name: str) -> sa.BindParameter[Any]:
    return sa.bindparam(f"attempt_{name}", type_=attempts.c[name].type)


def ended_statement(current: sa.ColumnElement[bool]) -> sa.Insert:
    """The statement that keeps the end of the attempt that `current` selects among the trials."""
    told = [_new(name) for name in ("ending", "reason", "device_seconds", "host")]
    source = sa.select(
        trials.c.id, trials.c.attempt, trials.c.token, *told, trials.c.started_at, _new("finished_at")
    )
    return sa.insert(attempts).from_select(_NAMES, source.where(current))


def ended_values(ending: Ending, reason: str, cost: float, host: str, finished: float) -> Values:
    """The parameters of `ended_statement`; `cost` in device-seconds."""
    return {
        "attempt_ending": ending.value,
        "attempt_reason": reason,
        "attempt_device_seconds": cost,
        "attempt_host": host,
        "attempt_finished_at": finished,
    }


class Attempts:
    """The part of the ledger that reads attempts."""

    _db: Database

    def attempts(self, campaign: str, *, running: bool = False) -> dict[str, list[AttemptRow]]:
        """The attempts of a campaign that have ended, by trial, in order; `running`: of those still open."""
        own = sa.select(searches.c.id).where(searches.c.campaign == campaign)
        inside = sa.select(trials.c.id).where(trials.c.search.in_(own))
        if running:
            inside = inside.where(RUNNING)
        query = sa.select(attempts).where(attempts.c.trial.in_(inside))
        query = query.order_by(attempts.c.trial, attempts.c.attempt)

        def work(connection: sa.Connection) -> dict[str, list[AttemptRow]]:
            found: dict[str, list[AttemptRow]] = {}
            for attempt in reading.attempt.each(connection.execute(query)):
                found.setdefault(attempt.trial, []).append(attempt)
            return found

        return self._db.read(work)
