"""Requests to campaigns: written by commands anywhere, taken by the driver, kept for every later one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from automl.contracts import UserError, storable
from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.rows import STOPPED, CampaignRow
from automl.ledger.tables import Values, campaigns, requests, searches
from automl.ledger.wishes import RequestRow, Wish, Wishes, read_request

ENDED: Final = "it had ended"
_AGAIN: Final[Values] = {"state": "running", "finished_at": None, "reason": None, "recorded": 1}


@dataclass(frozen=True)
class Asked:
    """A request (None: the campaign had ended), and the campaign as it was. `new`: not asked for before."""

    campaign: CampaignRow
    request: RequestRow | None
    new: bool


class Requests:
    """The part of the ledger about what users ask of campaigns."""

    _db: Database

    def ask(self, campaign: str, target: str, wish: Wish, by: str) -> Asked:
        """Ask something of a campaign, a search or a trial. What still holds is not asked for again.

        Nothing is asked of a campaign that has ended, but to go on where a request has ended it: it can then
        be continued. Raises `UserError` when there is no such campaign.
        """

        def work(connection: sa.Connection) -> Asked:
            row = _lock(connection, campaign)
            found = _requests(connection, campaign)
            if (same := _holds(Wishes.of(found), found, target, wish)) is not None:
                return Asked(row, same, new=False)
            if row.state == "finished" and not (wish == "resume" and row.was_stopped):
                return Asked(row, None, new=False)
            _reopen(connection, row)
            now = self._db.time(connection)
            values: Values = {"campaign": campaign, "target": target, "wish": wish, "by": storable(by)}
            insert = sa.insert(requests).values({**values, "at": now}).returning(requests.c.id)
            key = connection.scalar(insert)
            written = connection.execute(sa.select(requests).where(requests.c.id == key)).one()
            return Asked(row, read_request(written), new=True)

        return self._db.write(work)

    def requests(self, campaign: str) -> list[RequestRow]:
        """All requests to a campaign, in their order."""
        return self._db.read(lambda connection: _requests(connection, campaign))

    def wishes(self, campaign: str) -> Wishes:
        """What all requests to a campaign come to."""
        return Wishes.of(self.requests(campaign))

    def is_stopped(self, campaign: str, target: str | None = None) -> str:
        """Why a campaign, or a search or trial of it, must not go on; "" when nobody has asked for that."""
        return self.wishes(campaign).reason(target or campaign)

    def take_requests(self, ids: Sequence[int]) -> None:
        """Note that a driver has taken requests, now."""

        def work(connection: sa.Connection) -> None:
            open_ones = requests.c.id.in_(ids) & requests.c.done_at.is_(None)
            taken = {"done_at": self._db.time(connection)}
            connection.execute(sa.update(requests).where(open_ones).values(taken))

        if ids:
            self._db.write(work)

    def reopen_searches(self, campaign: str) -> None:
        """Let searches go on that a request has ended which does not hold any more."""

        def work(connection: sa.Connection) -> None:
            stops = Wishes.of(_requests(connection, campaign)).stops
            if campaign in stops:
                return
            cut = (searches.c.campaign == campaign) & searches.c.reason.startswith(STOPPED)
            again = {**_AGAIN, "winner": None}
            connection.execute(sa.update(searches).where(cut, searches.c.id.not_in(stops)).values(again))

        self._db.write(work)


def refuse_open(connection: sa.Connection, campaign: str, now: float) -> None:
    """Answer the requests that no driver has taken: their campaign has ended by itself."""
    open_ones = (requests.c.campaign == campaign) & requests.c.done_at.is_(None)
    connection.execute(sa.update(requests).where(open_ones).values(done_at=now, answer=ENDED))


def _requests(connection: sa.Connection, campaign: str) -> list[RequestRow]:
    query = sa.select(requests).where(requests.c.campaign == campaign).order_by(requests.c.id)
    return [read_request(row) for row in connection.execute(query)]


def _holds(wishes: Wishes, found: Sequence[RequestRow], target: str, wish: Wish) -> RequestRow | None:
    """The request that says the same and still holds."""
    if wish == "stop":
        return wishes.stops.get(target)
    if wish == "pause":
        return wishes.pause
    own = [request for request in found if request.target == target]
    return own[-1] if own and own[-1].wish == wish and own[-1].answer is None else None


def _lock(connection: sa.Connection, campaign: str) -> CampaignRow:
    chosen = sa.select(campaigns).where(campaigns.c.id == campaign).with_for_update()
    row = connection.execute(chosen).one_or_none()
    if row is None:
        raise UserError(f"a campaign must exist to be asked for something, but there is no {campaign!r}")
    return reading.campaign(row)


def _reopen(connection: sa.Connection, row: CampaignRow) -> None:
    """Let a campaign go on that has ended; its next driver sees to its searches."""
    if row.state == "finished":
        connection.execute(sa.update(campaigns).where(campaigns.c.id == row.id).values(_AGAIN))
