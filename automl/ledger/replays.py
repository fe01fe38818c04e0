"""Replayed searches: all trials of one in a single transaction, and openings of the test set for many."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from automl.contracts import Replayed, RunError
from automl.ledger.database import Database
from automl.ledger.rows import SearchRow
from automl.ledger.tables import campaigns, openings, reports, searches, trials
from automl.ledger.trials import storable


class Replays:
    """The part of the ledger about searches that ran in memory."""

    _db: Database
    _held: dict[str, int]

    def finish_replay(
        self, search: SearchRow, played: Iterable[Replayed], reason: str, winner: str | None
    ) -> bool:
        """Write a whole search with its trials and reports and end it; False when it already was.

        Raises `RunError` when another driver has taken over the campaign: then nothing is written.
        """
        finished = time.time()
        rows = [_trial_row(search.id, number, trial) for number, trial in enumerate(played)]
        reported = [report for row in rows for report in row.pop("reports")]
        ended = {"state": "finished", "reason": storable(reason), "winner": winner, "finished_at": finished}

        def work(connection: sa.Connection) -> bool:
            owner = sa.select(campaigns.c.token).where(campaigns.c.id == search.campaign)
            token = connection.scalar(owner.with_for_update(read=True))
            if self._held.get(search.campaign, token) != token:
                raise RunError(
                    f"{search.id} cannot be written: another process has taken over its campaign; "
                    "nothing was changed; let that process go on"
                )
            running = (searches.c.id == search.id) & (searches.c.state == "running")
            if not connection.execute(sa.update(searches).where(running).values(**ended)).rowcount:
                written = sa.select(searches.c.finished_at).where(searches.c.id == search.id)
                return bool(connection.scalar(written) == finished)  # committed after all
            for table, given in ((trials, rows), (reports, reported)):
                if given:
                    connection.execute(sa.insert(table), given)
            return True

        return self._db.write(work)

    def open_tests(self, wanted: Mapping[str, str]) -> dict[str, int]:
        """Write down, before it happens, that winners are scored on the test set: a reason for each search.

        The openings' ids by search. As with `open_test`, one that never got its values is taken up again.
        """
        opened = time.time()

        def work(connection: sa.Connection) -> dict[str, int]:
            pending = sa.select(openings.c.search, openings.c.id).where(openings.c["values"].is_(None))
            known = {row.search: row.id for row in connection.execute(pending) if row.search in wanted}
            for search, reason in wanted.items():
                if search not in known:
                    insert = sa.insert(openings).values(search=search, reason=reason, opened_at=opened)
                    known[search] = connection.scalar(insert.returning(openings.c.id)) or 0
            return known

        return self._db.write(work)

    def close_tests(self, values: Mapping[int, list[float]]) -> None:
        """Write the test values of openings that have none yet."""
        pending = (openings.c.id == sa.bindparam("opening")) & openings.c["values"].is_(None)
        update = sa.update(openings).where(pending)
        update = update.values({"values": sa.bindparam("found", type_=openings.c["values"].type)})
        given = [{"opening": opening, "found": found} for opening, found in values.items()]
        if given:
            self._db.write(lambda connection: connection.execute(update, given).rowcount)


def _trial_row(search: str, told: int, trial: Replayed) -> dict[str, Any]:
    """The row of `tables.trials`, with its rows of `tables.reports`. It needs no run of its own in MLflow."""
    outcome, final = trial.outcome, trial.kind == "final"
    identity = f"{search}/final-{trial.number}" if final else f"{search}/{trial.number}"
    return {
        "id": identity,
        "search": search,
        "kind": trial.kind,
        "number": trial.number,
        "state": outcome.state.value,
        "attempt": 1,
        "token": secrets.token_hex(8),
        "config": trial.config,
        "derived": None,
        "seed": trial.seed,
        "asked_after": told,
        "told": None if final else told,
        "values": outcome.values,
        "metrics": outcome.metrics,
        "attributes": {},
        "device_seconds": outcome.device_seconds,
        "reason": storable(outcome.reason),
        "traceback": storable(outcome.traceback),
        "artifacts": [],
        "workdir": None,
        "host": outcome.host,
        "device": outcome.device,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
        "recorded": 2,
        "reports": [
            {
                "trial": identity,
                "step": report.step,
                "value": report.value,
                "metrics": report.metrics,
                "device_seconds": report.device_seconds,
                "at": trial.finished_at,
            }
            for report in trial.reports
        ],
    }
