"""Campaigns that are deleted: what remains of them, so that no number and no look at test data is lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from automl.contracts import RunError, UserError, storable
from automl.ledger import reading
from automl.ledger.campaigns import held_by_living
from automl.ledger.database import Database
from automl.ledger.queue_tables import shares
from automl.ledger.quotas import keep_spent
from automl.ledger.reader import Reader
from automl.ledger.rows import CampaignRow
from automl.ledger.rules import COUNT, NAME, SECONDS
from automl.ledger.tables import (
    attempts,
    campaigns,
    deletions,
    drives,
    firings,
    memories,
    notices,
    openings,
    reports,
    requests,
    searches,
    trials,
)


@dataclass(frozen=True)
class DeletionRow:
    """What remains of a deleted campaign. `data`: digest of its data; `looks`: openings of its test set.

    `done_at` is None while some of it may still be there.
    """

    campaign: str
    study: str
    number: int
    data: str | None
    looks: int
    by: str
    at: float
    done_at: float | None = None


read_deletion: Final = Reader(
    DeletionRow,
    "deletion",
    ("campaign",),
    {
        "campaign": NAME,
        "study": NAME,
        "number": COUNT,
        "data": NAME.or_nothing(),
        "looks": COUNT,
        "by": NAME,
        "at": SECONDS,
        "done_at": SECONDS.or_nothing(),
    },
)


class Deletions:
    """The part of the ledger that deletes campaigns."""

    _db: Database

    def begin_deletion(self, campaign: str, by: str) -> DeletionRow:
        """Note that a campaign is deleted: nobody can drive it from now on. The same once more when it was.

        Raises `UserError` when there is no such campaign, `RunError` while a process drives it.
        """

        def work(connection: sa.Connection) -> DeletionRow:
            query = sa.select(campaigns).where(campaigns.c.id == campaign).with_for_update()
            found = connection.execute(query).one_or_none()
            begun = connection.execute(
                sa.select(deletions).where(deletions.c.campaign == campaign)
            ).one_or_none()
            if begun is not None:
                return read_deletion(begun)
            if found is None:
                raise UserError(f"a campaign must exist to be deleted, but there is no {campaign!r}")
            row, now = reading.campaign(found), self._db.time(connection)
            if held_by_living(row, now):
                raise RunError(
                    f"{campaign} cannot be deleted while {row.owner} drives it; nothing was deleted; stop it "
                    f"first: automl stop {campaign}"
                )
            _refuse_open_firing(connection, campaign)
            deletion = DeletionRow(
                campaign,
                row.study,
                row.number,
                _data_of(row),
                _looks(connection, campaign),
                storable(by),
                now,
            )
            connection.execute(sa.insert(deletions), vars(deletion))
            fenced = {"token": row.token + 1, "owner": None}
            connection.execute(sa.update(campaigns).where(campaigns.c.id == campaign).values(fenced))
            return deletion

        return self._db.write(work)

    def delete_rows(self, campaign: str) -> dict[str, int]:
        """Delete all rows of a campaign whose deletion has begun, in one transaction; how many, by table."""

        def work(connection: sa.Connection) -> dict[str, int]:
            own = sa.select(searches.c.id).where(searches.c.campaign == campaign)
            of_trials = sa.select(trials.c.id).where(trials.c.search.in_(own))
            chosen = {
                attempts: attempts.c.trial.in_(of_trials),
                reports: reports.c.trial.in_(of_trials),
                openings: openings.c.search.in_(own),
                trials: trials.c.search.in_(own),
                searches: searches.c.campaign == campaign,
                drives: drives.c.campaign == campaign,
                requests: requests.c.campaign == campaign,
                memories: memories.c.campaign == campaign,
                notices: notices.c.campaign == campaign,
                shares: shares.c.campaign == campaign,
                campaigns: campaigns.c.id == campaign,
            }
            keep_spent(connection, campaign)
            counts = {
                table.name: connection.execute(sa.delete(table).where(where)).rowcount
                for table, where in chosen.items()
            }
            done = sa.update(deletions).where(deletions.c.campaign == campaign, deletions.c.done_at.is_(None))
            connection.execute(done.values(done_at=self._db.time(connection)))
            return counts

        return self._db.write(work)

    def deletion(self, campaign: str) -> DeletionRow | None:
        """What remains of a deleted campaign of that id."""
        query = sa.select(deletions).where(deletions.c.campaign == campaign)

        def work(connection: sa.Connection) -> DeletionRow | None:
            row = connection.execute(query).one_or_none()
            return None if row is None else read_deletion(row)

        return self._db.read(work)

    def label_campaign(self, campaign: str, label: str | None) -> None:
        """Give a campaign another name beside its id, or none."""
        chosen = sa.update(campaigns).where(campaigns.c.id == campaign).values(label=label)
        self._db.write(lambda connection: connection.execute(chosen).rowcount)

    def deletions(self) -> list[DeletionRow]:
        """What remains of all deleted campaigns."""
        query = sa.select(deletions).order_by(deletions.c.study, deletions.c.number)
        return self._db.read(lambda connection: [read_deletion(row) for row in connection.execute(query)])

    def deleted_looks(self, data: str) -> int:
        """How often deleted campaigns have opened the test set of the data with that digest."""
        query = sa.select(sa.func.coalesce(sa.func.sum(deletions.c.looks), 0)).where(deletions.c.data == data)
        return self._db.read(lambda connection: int(connection.scalar(query) or 0))


def _refuse_open_firing(connection: sa.Connection, campaign: str) -> None:
    unfinished = (firings.c.campaign == campaign) & firings.c.state.in_(["ready", "running"])
    slot = connection.scalar(sa.select(firings.c.slot).where(unfinished).limit(1))
    if slot is not None:
        raise RunError(
            f"{campaign} cannot be deleted while a schedule continues it; nothing was deleted; let its "
            "daemon end it, or remove the schedule and stop it first"
        )


def _data_of(row: CampaignRow) -> str | None:
    data = row.provenance.get("data")
    return data.get("digest") if isinstance(data, Mapping) else None


def _looks(connection: sa.Connection, campaign: str) -> int:
    own = sa.select(searches.c.id).where(searches.c.campaign == campaign)
    query = sa.select(sa.func.count()).select_from(openings)
    query = query.where(openings.c.search.in_(own), openings.c.dataset.is_(None))
    return int(connection.scalar(query) or 0)
