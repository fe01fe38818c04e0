"""Searches, and the openings of the sealed test set."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from automl.contracts import UserError, storable
from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.rows import OpeningRow, SearchRow
from automl.ledger.tables import Values, campaigns, openings, searches

TICK = 1e-6  # seconds between two searches that are made together, so that their order is known


class Searches:
    """The part of the ledger about searches."""

    _db: Database

    def add_search(self, campaign: str, arm: str, seed: int) -> SearchRow:
        """The search of an arm and seed, created if necessary."""
        return self.add_searches(campaign, [(arm, seed)])[0]

    def add_searches(self, campaign: str, wanted: Sequence[tuple[str, int]]) -> list[SearchRow]:
        """The searches of arms and seeds, in that order, created if necessary; one transaction."""
        created = time.time()

        def work(connection: sa.Connection) -> list[SearchRow]:
            known = _by_arm_and_seed(connection, campaign)
            missing = [pair for pair in wanted if pair not in known]
            if missing:
                rows = [_new(campaign, *pair, created + i * TICK) for i, pair in enumerate(missing)]
                connection.execute(sa.insert(searches), rows)
                known = _by_arm_and_seed(connection, campaign)
            return [known[pair] for pair in wanted]

        try:
            return self._db.write(work)
        except sa.exc.IntegrityError:  # another process was faster, or there is no such campaign
            known = self._db.read(lambda connection: _by_arm_and_seed(connection, campaign))
            if not all(pair in known for pair in wanted):
                raise UserError(f"a search needs its campaign, but there is no {campaign!r}") from None
            return [known[pair] for pair in wanted]

    def searches(self, campaign: str) -> list[SearchRow]:
        """All searches of a campaign, in the order they were added."""
        query = (
            sa.select(searches)
            .where(searches.c.campaign == campaign)
            .order_by(searches.c.created_at, searches.c.id)
        )
        return self._db.read(lambda connection: [reading.search(row) for row in connection.execute(query)])

    def used_seeds(self, study: str) -> set[int]:
        """The seeds of all searches of a study, those included that a campaign has added by itself."""
        query = sa.select(searches.c.seed).distinct().join(campaigns).where(campaigns.c.study == study)
        return self._db.read(lambda connection: set(connection.scalars(query)))

    def finish_search(self, search: str, reason: str, winner: str | None) -> bool:
        """End a search for good; False when it already was."""
        finished = time.time()

        def work(connection: sa.Connection) -> bool:
            running = (searches.c.id == search) & (searches.c.state == "running")
            ended = {
                "state": "finished",
                "reason": storable(reason),
                "winner": winner,
                "finished_at": finished,
            }
            if connection.execute(sa.update(searches).where(running).values(ended)).rowcount:
                return True
            row = _get(connection, search)
            return row is not None and row.finished_at == finished  # the first try was committed after all

        return self._db.write(work)

    def name_winner(self, search: str, winner: str) -> None:
        """Name the trial that a finished search selects, now that its best ones were evaluated again."""
        other = searches.c.winner.is_distinct_from(winner)
        chosen = (searches.c.id == search) & (searches.c.state == "finished") & other
        update = sa.update(searches).where(chosen).values(winner=winner)
        self._db.write(lambda connection: connection.execute(update).rowcount)

    def mark_searches_recorded(self, recorded: Mapping[str, int]) -> None:
        """Note what MLflow has of searches: 0 nothing, 1 the start, 2 the end. One transaction."""
        update = sa.update(searches).where(searches.c.id == sa.bindparam("search"))
        update = update.values(recorded=sa.bindparam("new_recorded"))
        parameters = [{"search": search, "new_recorded": value} for search, value in recorded.items()]
        if parameters:
            self._db.write(lambda connection: connection.execute(update, parameters).rowcount)

    def open_test(
        self, search: str, reason: str, scored: Sequence[str] | None = None, dataset: str | None = None
    ) -> OpeningRow:
        """Record that a search's winner is about to be scored on the test set, its study's or a `dataset`'s.

        `scored`: the trial behind each value. An opening without values (its driver died) is used again
        instead of counted twice.
        """
        opened = time.time()

        def work(connection: sa.Connection) -> OpeningRow:
            connection.execute(sa.select(searches.c.id).where(searches.c.id == search).with_for_update())
            pending = sa.select(openings).where(openings.c.search == search, openings.c["values"].is_(None))
            pending = pending.where(openings.c.dataset.is_not_distinct_from(dataset))
            row = connection.execute(pending.order_by(openings.c.id).limit(1)).one_or_none()
            if row is None:
                new = {"search": search, "reason": reason, "opened_at": opened, "dataset": dataset}
                insert = sa.insert(openings).values(new)
                key = connection.scalar(insert.returning(openings.c.id))
            else:
                key = row.id
            chosen = openings.c.id == key
            connection.execute(sa.update(openings).where(chosen).values(trials=scored))
            return reading.opening(connection.execute(sa.select(openings).where(chosen)).one())

        return self._db.write(work)

    def close_test(
        self, opening: int, values: list[float], details: list[dict[str, float]] | None = None
    ) -> bool:
        """Write the test values of an opening, and their `details`; False when it already has some."""

        def work(connection: sa.Connection) -> bool:
            pending = (openings.c.id == opening) & openings.c["values"].is_(None)
            if connection.execute(
                sa.update(openings).where(pending).values(values=values, details=details)
            ).rowcount:
                return True
            written = sa.select(openings.c["values"]).where(openings.c.id == opening)
            return bool(connection.scalar(written) == values)

        return self._db.write(work)

    def openings(self, campaign: str) -> list[OpeningRow]:
        """All openings of its study's test set by a campaign, in order."""
        return self._openings(campaign, openings.c.dataset.is_(None))

    def transfer_openings(self, campaign: str) -> list[OpeningRow]:
        """All openings of the test sets of other datasets by a campaign, in order."""
        return self._openings(campaign, openings.c.dataset.is_not(None))

    def all_openings(self, campaign: str) -> list[OpeningRow]:
        """All openings of test sets by a campaign, its study's and those of other datasets, in order."""
        return self._openings(campaign, sa.true())

    def _openings(self, campaign: str, which: sa.ColumnElement[bool]) -> list[OpeningRow]:
        query = sa.select(openings).join(searches).where(searches.c.campaign == campaign, which)
        query = query.order_by(openings.c.id)
        return self._db.read(lambda connection: [reading.opening(row) for row in connection.execute(query)])


def _new(campaign: str, arm: str, seed: int, created: float) -> Values:
    return {
        "id": f"{campaign}/{arm}/{seed}",
        "campaign": campaign,
        "arm": arm,
        "seed": seed,
        "state": "running",
        "created_at": created,
    }


def _by_arm_and_seed(connection: sa.Connection, campaign: str) -> dict[tuple[str, int], SearchRow]:
    query = sa.select(searches).where(searches.c.campaign == campaign)
    return {(row.arm, row.seed): reading.search(row) for row in connection.execute(query)}


def _get(connection: sa.Connection, search: str) -> SearchRow | None:
    row = connection.execute(sa.select(searches).where(searches.c.id == search)).one_or_none()
    return None if row is None else reading.search(row)
