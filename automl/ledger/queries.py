"""Reading trials and reports, and what MLflow has of them."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import sqlalchemy as sa

from automl.contracts import TrialState
from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.rows import ReportRow, TrialRow
from automl.ledger.tables import DUE, RUNNING, reports, searches, trials

CHUNK: Final = 1000  # identities in one statement
BY_ID: Final = sa.select(trials).where(trials.c.id == sa.bindparam("trial"))
_FAILED: Final = trials.c.state == TrialState.FAILED.value
_LEFT_OUT: Final = ("attributes", "artifacts", "workdir", "host", "device")
LIGHT: Final = [
    sa.null().label(column.name)
    if column.name in _LEFT_OUT
    else sa.case((_FAILED, column)).label(column.name)
    if column.name == "traceback"
    else column
    for column in trials.c
]


class Queries:
    """The part of the ledger that reads trials."""

    _db: Database

    def trial(self, trial: str) -> TrialRow | None:
        """The trial of that id."""
        row = self._db.read(lambda connection: connection.execute(BY_ID, {"trial": trial}).one_or_none())
        return None if row is None else reading.trial(row)

    def trials(
        self, campaign: str | None = None, search: str | None = None, *, light: bool = False
    ) -> list[TrialRow]:
        """Trials (of a campaign, of a search) by search, kind and number.

        `light`: without what only their own runs show, such as files; a traceback only of those that failed.
        """
        query = _of(sa.select(*LIGHT) if light else sa.select(trials), campaign, search)
        query = query.order_by(trials.c.search, trials.c.kind, trials.c.number)
        return self._db.read(lambda connection: list(reading.trial.each(connection.execute(query))))

    def ended_trials(self, campaign: str) -> int:
        """How many trials of a campaign have ended."""
        query = _of(sa.select(sa.func.count()).select_from(trials), campaign, None)
        query = query.where(trials.c.state != TrialState.RUNNING.value)
        return self._db.read(lambda connection: connection.scalar(query) or 0)

    def ended_since(self, campaign: str, moment: float) -> list[TrialRow]:
        """Trials of a campaign that have ended at `moment` (POSIX seconds) or later, the first one first."""
        query = _of(sa.select(trials), campaign, None).where(trials.c.finished_at >= moment)
        query = query.where(trials.c.state != TrialState.RUNNING.value)
        query = query.order_by(trials.c.finished_at, trials.c.id)
        return self._db.read(lambda connection: list(reading.trial.each(connection.execute(query))))

    def running_trials(self, campaign: str) -> list[TrialRow]:
        """Trials of a campaign that have not ended."""
        query = _of(sa.select(trials.c.id), campaign, None).where(RUNNING)

        def work(connection: sa.Connection) -> list[TrialRow]:
            names = list(connection.scalars(query))
            parts = (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))
            queries = (sa.select(trials).where(trials.c.id.in_(part)) for part in parts)
            return [row for part in queries for row in reading.trial.each(connection.execute(part))]

        return sorted(self._db.read(work), key=lambda row: (row.started_at, row.id))

    def reports(
        self,
        campaign: str | None = None,
        search: str | None = None,
        trials: Collection[str] | None = None,
    ) -> dict[str, list[ReportRow]]:
        """Reports by trial, in the order of steps; trials without reports are left out."""

        def work(connection: sa.Connection) -> dict[str, list[ReportRow]]:
            by_trial: dict[str, list[ReportRow]] = {}
            for query in _report_queries(campaign, search, trials):
                for report in reading.report.each(connection.execute(query)):
                    by_trial.setdefault(report.trial, []).append(report)
            return by_trial

        return self._db.read(work)

    def unrecorded(self, campaign: str, limit: int) -> list[str]:
        """The ids of trials that MLflow does not have up to date, oldest first.

        A running trial is left out during its first second: most end before, which saves one write.
        """
        running = trials.c.state == TrialState.RUNNING.value
        due = sa.case(
            (running, (trials.c.recorded == 0) & (trials.c.started_at <= time.time() - 1)), else_=True
        )
        query = _of(sa.select(trials.c.id), campaign, None).where(DUE, due)
        query = query.order_by(trials.c.started_at, trials.c.id).limit(limit)
        return self._db.read(lambda connection: list(connection.scalars(query)))

    def due_trials(self, campaign: str) -> int:
        """How many trials that have ended MLflow does not have to their end."""
        query = _of(sa.select(sa.func.count()).select_from(trials), campaign, None)
        query = query.where(DUE, trials.c.state != TrialState.RUNNING.value)
        return self._db.read(lambda connection: connection.scalar(query) or 0)

    def mark_recorded(self, recorded: Mapping[str, int]) -> None:
        """Note what MLflow has of trials: 1 the start, 2 the end. One transaction."""
        if not recorded:
            return
        update = sa.update(trials).where(trials.c.id == sa.bindparam("trial"))
        update = update.values(recorded=sa.bindparam("new_recorded"))
        parameters = [{"trial": trial, "new_recorded": value} for trial, value in recorded.items()]
        self._db.write(lambda connection: connection.execute(update, parameters).rowcount)


def _of(query: sa.Select[Any], campaign: str | None, search: str | None) -> sa.Select[Any]:
    if search is not None:
        query = query.where(trials.c.search == search)
    if campaign is not None:
        inside = sa.select(searches.c.id).where(searches.c.campaign == campaign)
        query = query.where(trials.c.search.in_(inside))
    return query


def _report_queries(
    campaign: str | None, search: str | None, wanted: Collection[str] | None
) -> Iterator[sa.Select[Any]]:
    query = sa.select(reports).order_by(reports.c.trial, reports.c.step)
    if campaign is not None or search is not None:
        query = query.where(reports.c.trial.in_(_of(sa.select(trials.c.id), campaign, search)))
    if wanted is None:
        yield query
        return
    identities = sorted(wanted)
    for start in range(0, len(identities), CHUNK):
        yield query.where(reports.c.trial.in_(identities[start : start + CHUNK]))
