"""Trials of large campaigns: in parts that fit into memory, in short, or by their names alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import sqlalchemy as sa

from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.rows import TrialRow, TrialSummary
from automl.ledger.tables import attempts, searches, trials

TOGETHER: Final = 2000  # trials in memory
CHUNK: Final = 1000  # identities in one statement
_SUMMARY: Final = [trials.c[name] for name in reading.summary.columns]


class Batches:
    """The part of the ledger that reads many trials."""

    _db: Database

    def trial_pages(self, campaign: str, most: int = TOGETHER) -> Iterator[list[TrialRow]]:
        """All trials of a campaign that are there now, by search, kind and number, about `most` at once."""
        for part in self._parts(campaign, most):
            query = sa.select(trials).where(part).order_by(trials.c.search, trials.c.kind, trials.c.number)
            yield self._db.read(lambda c, query=query: list(reading.trial.each(c.execute(query))))  # type: ignore[misc]

    def trials_of(self, wanted: Sequence[str], most: int = TOGETHER) -> Iterator[list[TrialRow]]:
        """The trials of each of the `wanted` searches, by kind and number; small ones are read together."""
        sizes = self._sizes(trials.c.search.in_(wanted))
        together: list[str] = []
        for i, search in enumerate(wanted):
            together.append(search)
            waiting = sum(size for one in together for _, size, _ in sizes.get(one, ()))
            following = (
                sum(size for _, size, _ in sizes.get(wanted[i + 1], ())) if i + 1 < len(wanted) else most
            )
            if waiting + following > most or len(together) == CHUNK:
                yield from self._trials_of(together)
                together = []
        yield from self._trials_of(together)

    def _trials_of(self, wanted: Sequence[str]) -> list[list[TrialRow]]:
        found: dict[str, list[TrialRow]] = {search: [] for search in wanted}
        query = sa.select(trials).where(trials.c.search.in_(wanted)).order_by(trials.c.kind, trials.c.number)
        for row in self._db.read(lambda c: list(reading.trial.each(c.execute(query)))) if wanted else ():
            found[row.search].append(row)
        return list(found.values())

    def summaries(self, search: str) -> list[TrialSummary]:
        """The trials of a search, by kind and number."""
        query = sa.select(*_SUMMARY).where(trials.c.search == search)
        query = query.order_by(trials.c.kind, trials.c.number)
        return self._db.read(lambda connection: list(reading.summary.each(connection.execute(query))))

    def summary_pages(self, campaign: str, most: int = TOGETHER) -> Iterator[list[TrialSummary]]:
        """The same of all trials of a campaign that are there now, by search, kind and number."""
        for part in self._parts(campaign, most):
            query = sa.select(*_SUMMARY).where(part)
            query = query.order_by(trials.c.search, trials.c.kind, trials.c.number)
            yield self._db.read(lambda c, query=query: list(reading.summary.each(c.execute(query))))  # type: ignore[misc]

    def trials_named(self, identities: Collection[str]) -> list[TrialRow]:
        """The trials with those ids, in no order; ids without a trial are left out."""
        names = sorted(identities)

        def work(connection: sa.Connection) -> list[TrialRow]:
            found: list[TrialRow] = []
            for start in range(0, len(names), CHUNK):
                query = sa.select(trials).where(trials.c.id.in_(names[start : start + CHUNK]))
                found += reading.trial.each(connection.execute(query))
            return found

        return self._db.read(work)

    def trials_after(self, search: str) -> list[TrialRow]:
        """The trials that follow a search (see `rows.KINDS`), by kind and number."""
        query = sa.select(trials).where(trials.c.search == search, trials.c.kind != "trial")
        query = query.order_by(trials.c.kind, trials.c.number)
        return self._db.read(lambda connection: list(reading.trial.each(connection.execute(query))))

    def trial_ids(self, campaign: str, recorded: int = 0) -> list[str]:
        """The ids of the trials of a campaign of which MLflow has that much at least, in order."""
        query = sa.select(trials.c.id).join(searches).where(searches.c.campaign == campaign)
        query = query.where(trials.c.recorded >= recorded)
        query = query.order_by(trials.c.search, trials.c.kind, trials.c.number)
        return self._db.read(lambda connection: list(connection.scalars(query)))

    def first_starts(self, campaign: str) -> dict[str, float]:
        """By search, when the first attempt began of those that have ended; POSIX seconds."""
        query = (
            sa.select(trials.c.search, sa.func.min(attempts.c.started_at))
            .join(trials, attempts.c.trial == trials.c.id)
            .join(searches, trials.c.search == searches.c.id)
            .where(searches.c.campaign == campaign, trials.c.kind == "trial")
            .group_by(trials.c.search)
        )
        return self._db.read(lambda connection: dict(connection.execute(query).all()))

    def _sizes(self, of: sa.ColumnElement[bool]) -> dict[str, list[tuple[str, int, int]]]:
        """By search, its kinds of trials: how many there are, and the largest number."""
        query = sa.select(trials.c.search, trials.c.kind, sa.func.count(), sa.func.max(trials.c.number))
        query = query.where(of).group_by(trials.c.search, trials.c.kind)
        query = query.order_by(trials.c.search, trials.c.kind)
        sizes: dict[str, list[tuple[str, int, int]]] = {}
        for search, kind, count, last in self._db.read(lambda c: c.execute(query).all()):
            sizes.setdefault(search, []).append((kind, count, last))
        return sizes

    def _parts(self, campaign: str, most: int) -> Iterator[sa.ColumnElement[bool]]:
        """Conditions, each of about `most` trials of a campaign: some searches, or numbers of one."""
        inside = trials.c.search.in_(sa.select(searches.c.id).where(searches.c.campaign == campaign))
        together: list[str] = []
        waiting = 0
        for search, kinds in self._sizes(inside).items():
            count = sum(size for _, size, _ in kinds)
            if together and (waiting + count > most or len(together) == CHUNK):
                yield trials.c.search.in_(together)
                together, waiting = [], 0
            if count <= most:
                together.append(search)
                waiting += count
                continue
            for kind, _, last in kinds:
                for first in range(0, last + 1, most):
                    numbers = trials.c.number.between(first, first + most - 1)
                    yield (trials.c.search == search) & (trials.c.kind == kind) & numbers
        if together:
            yield trials.c.search.in_(together)


def in_short(trial: TrialRow) -> TrialSummary:
    """The summary of a trial."""
    return TrialSummary(
        id=trial.id,
        search=trial.search,
        kind=trial.kind,
        state=trial.state,
        values=trial.values,
        device_seconds=trial.device_seconds,
        started_at=trial.started_at,
        finished_at=trial.finished_at,
        recorded=trial.recorded,
    )
