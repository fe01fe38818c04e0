"""Many rows in one transaction: whole searches that ran in memory, and openings of the test set."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

import sqlalchemy as sa

from automl.contracts import Replayed, RunError, storable
from automl.ledger.database import Database
from automl.ledger.rows import SearchRow, trial_identity
from automl.ledger.tables import Values, campaigns, openings, reports, searches, trials


class BulkWrites:
    """The part of the ledger that writes many rows at once."""

    _db: Database
    _held: dict[str, int]

    def finish_replay(
        self,
        search: SearchRow,
        replayed: Iterable[Replayed],
        reason: str,
        winner: str | None,
        *,
        told: int = 0,
    ) -> bool:
        """Write a whole search with its trials and reports and end it; False when it already was.

        `told`: trials that it has already, when it has grown.
        Raises `RunError` when another driver has taken over the campaign: then nothing is written.
        """
        finished = time.time()
        replayed = list(replayed)
        trial_values = [
            _trial_values(search.id, told + number, trial) for number, trial in enumerate(replayed)
        ]
        report_values = [values for trial in replayed for values in _report_values(search.id, trial)]
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
            for table, values in ((trials, trial_values), (reports, report_values)):
                if values:
                    connection.execute(sa.insert(table), values)
            return True

        return self._db.write(work)

    def open_tests(self, scored: Mapping[str, Sequence[str]]) -> dict[str, int]:
        """Record that winners are about to be scored on the test set; the trials behind values, by search.

        Returns the openings' ids by search. As in `open_test`, an opening without values is used again.
        """
        opened = time.time()

        def work(connection: sa.Connection) -> dict[str, int]:
            pending = sa.select(openings.c.search, openings.c.id).where(openings.c["values"].is_(None))
            ids = {row.search: row.id for row in connection.execute(pending) if row.search in scored}
            for search, behind in scored.items():
                if search in ids:
                    again = sa.update(openings).where(openings.c.id == ids[search])
                    connection.execute(again.values(trials=list(behind)))
                    continue
                values = {"search": search, "reason": f"winner of {search}", "opened_at": opened}
                insert = sa.insert(openings).values(**values, trials=list(behind))
                ids[search] = connection.scalar(insert.returning(openings.c.id)) or 0
            return ids

        return self._db.write(work)

    def close_tests(self, values: Mapping[int, list[float]]) -> None:
        """Write the test values of openings that have none yet."""
        pending = (openings.c.id == sa.bindparam("opening")) & openings.c["values"].is_(None)
        update = sa.update(openings).where(pending)
        update = update.values({"values": sa.bindparam("scores", type_=openings.c["values"].type)})
        parameters = [{"opening": opening, "scores": scores} for opening, scores in values.items()]
        if parameters:
            self._db.write(lambda connection: connection.execute(update, parameters).rowcount)


def _trial_values(search: str, told: int, trial: Replayed) -> Values:
    """The row of a trial. It needs no run of its own in MLflow."""
    outcome = trial.outcome
    return {
        "id": trial_identity(search, trial.kind, trial.number),
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
        "told": told if trial.kind == "trial" else None,
        "values": outcome.values,
        "metrics": outcome.metrics,
        "attributes": {},
        "device_seconds": outcome.device_seconds,
        "reason": outcome.reason,
        "traceback": outcome.traceback,
        "artifacts": [],
        "workdir": None,
        "host": outcome.host,
        "device": outcome.device,
        "started_at": trial.started_at,
        "finished_at": trial.finished_at,
        "recorded": 2,
    }


def _report_values(search: str, trial: Replayed) -> Iterator[Values]:
    for report in trial.reports:
        yield {
            "trial": trial_identity(search, trial.kind, trial.number),
            "step": report.step,
            "value": report.value,
            "metrics": report.metrics,
            "device_seconds": report.device_seconds,
            "at": trial.finished_at,
            "attempt": 1,
        }
