"""Searches, and the openings of the sealed test set."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from automl.contracts import UserError
from automl.ledger.database import Database
from automl.ledger.rows import OpeningRow, SearchRow
from automl.ledger.tables import openings, searches


class Searches:
    """The part of the ledger about searches."""

    _db: Database

    def add_search(self, campaign: str, arm: str, seed: int) -> SearchRow:
        """The search of an arm and seed, made if need be."""
        identity = f"{campaign}/{arm}/{seed}"
        values = {
            "id": identity,
            "campaign": campaign,
            "arm": arm,
            "seed": seed,
            "state": "running",
            "created_at": time.time(),
        }

        def work(connection: sa.Connection) -> SearchRow:
            row = _get(connection, identity)
            if row is None:
                connection.execute(sa.insert(searches), values)
                row = _get(connection, identity)
            if row is None:
                raise RuntimeError(f"{identity} was inserted but cannot be read")
            return row

        try:
            return self._db.write(work)
        except sa.exc.IntegrityError:  # another process was faster, or there is no such campaign
            row = self._db.read(lambda connection: _get(connection, identity))
            if row is None:
                raise UserError(f"a search needs its campaign, but there is no {campaign!r}") from None
            return row

    def searches(self, campaign: str) -> list[SearchRow]:
        """All searches of a campaign, in the order they were added."""
        query = (
            sa.select(searches)
            .where(searches.c.campaign == campaign)
            .order_by(searches.c.created_at, searches.c.id)
        )
        return self._db.read(lambda connection: [SearchRow(*row) for row in connection.execute(query)])

    def finish_search(self, search: str, reason: str, winner: str | None) -> bool:
        """End a search for good; False when it already was."""
        finished = time.time()

        def work(connection: sa.Connection) -> bool:
            running = (searches.c.id == search) & (searches.c.state == "running")
            values: dict[str, Any] = {"reason": reason, "winner": winner, "finished_at": finished}
            if connection.execute(
                sa.update(searches).where(running).values(state="finished", **values)
            ).rowcount:
                return True
            row = _get(connection, search)
            return row is not None and row.finished_at == finished  # the first try was committed after all

        return self._db.write(work)

    def mark_search_recorded(self, search: str, value: int) -> None:
        """Note what MLflow has of a search: 0 nothing, 1 its start, 2 its end."""
        update = sa.update(searches).where(searches.c.id == search).values(recorded=value)
        self._db.write(lambda connection: connection.execute(update).rowcount)

    def open_test(self, search: str, reason: str) -> OpeningRow:
        """Write down, before it happens, that a search's winner is scored on the test set.

        An opening that never got its values (its driver died) is taken up again instead of counted twice.
        """
        opened = time.time()

        def work(connection: sa.Connection) -> OpeningRow:
            connection.execute(sa.select(searches.c.id).where(searches.c.id == search).with_for_update())
            pending = sa.select(openings).where(openings.c.search == search, openings.c["values"].is_(None))
            row = connection.execute(pending.order_by(openings.c.id).limit(1)).one_or_none()
            if row is None:
                insert = sa.insert(openings).values(search=search, reason=reason, opened_at=opened)
                key = connection.scalar(insert.returning(openings.c.id))
                row = connection.execute(sa.select(openings).where(openings.c.id == key)).one()
            return OpeningRow(*row)

        return self._db.write(work)

    def close_test(self, opening: int, values: list[float]) -> bool:
        """Write the test values of an opening; False when it already has some."""

        def work(connection: sa.Connection) -> bool:
            pending = (openings.c.id == opening) & openings.c["values"].is_(None)
            if connection.execute(sa.update(openings).where(pending).values(values=values)).rowcount:
                return True
            written = sa.select(openings.c["values"]).where(openings.c.id == opening)
            return bool(connection.scalar(written) == values)

        return self._db.write(work)

    def openings(self, campaign: str) -> list[OpeningRow]:
        """All openings of the test set by a campaign, in order."""
        query = (
            sa.select(openings).join(searches).where(searches.c.campaign == campaign).order_by(openings.c.id)
        )
        return self._db.read(lambda connection: [OpeningRow(*row) for row in connection.execute(query)])


def _get(connection: sa.Connection, search: str) -> SearchRow | None:
    row = connection.execute(sa.select(searches).where(searches.c.id == search)).one_or_none()
    return None if row is None else SearchRow(*row)
