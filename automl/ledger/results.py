"""What searches of many campaigns have found, without reading each of their trials."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import sqlalchemy as sa

from automl.ledger import reading
from automl.ledger.database import Database
from automl.ledger.queries import LIGHT
from automl.ledger.rows import CampaignRow, OpeningRow, SearchRow, TrialRow
from automl.ledger.tables import campaigns, openings, searches, trials
from automl.ledger.totals import TotalRow, read_total

TOGETHER: Final = 200  # campaigns in one statement


@dataclass
class CampaignResults:
    """The searches of a campaign; by search its winner and retrainings, totals of all trials, openings.

    A search that has not ended has all of its trials in place of its winner.
    """

    searches: list[SearchRow] = field(default_factory=list)
    trials: Mapping[str, list[TrialRow]] = field(default_factory=lambda: defaultdict(list))
    totals: Mapping[str, list[TotalRow]] = field(default_factory=lambda: defaultdict(list))
    openings: Mapping[str, list[OpeningRow]] = field(default_factory=lambda: defaultdict(list))


class Results:
    """The part of the ledger that reads what campaigns have found."""

    _db: Database

    def finished_before(self, campaign: CampaignRow) -> CampaignRow | None:
        """The latest campaign of the same study that had finished when this one did, or by now."""
        query = sa.select(campaigns).where(
            campaigns.c.study == campaign.study,
            campaigns.c.number < campaign.number,
            campaigns.c.state == "finished",
        )
        if campaign.finished_at is not None:
            query = query.where(campaigns.c.finished_at <= campaign.finished_at)
        query = query.order_by(campaigns.c.number.desc()).limit(1)
        row = self._db.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else reading.campaign(row)

    def results(self, wanted: Iterable[str]) -> dict[str, CampaignResults]:
        """By campaign, its results; every one of `wanted` has an entry."""
        found = {campaign: CampaignResults() for campaign in wanted}
        names = list(found)
        for start in range(0, len(names), TOGETHER):
            chunk = names[start : start + TOGETHER]
            self._db.read(lambda connection, chunk=chunk: _read(connection, chunk, found))  # type: ignore[misc]
        return found


def _read(connection: sa.Connection, chunk: Sequence[str], found: dict[str, CampaignResults]) -> None:
    of_chunk = searches.c.campaign.in_(chunk)
    for name in chunk:  # a second try after a lock begins anew
        found[name] = CampaignResults()
    owner: dict[str, CampaignResults] = {}
    order = (searches.c.created_at, searches.c.id)
    for row in connection.execute(sa.select(searches).where(of_chunk).order_by(*order)):
        search = reading.search(row)
        owner[search.id] = found[search.campaign]
        owner[search.id].searches.append(search)
    shown = (trials.c.id == searches.c.winner) | (trials.c.kind == "final") | searches.c.winner.is_(None)
    chosen = _joined(sa.select(*LIGHT), trials).where(of_chunk, shown)
    chosen = chosen.order_by(trials.c.search, trials.c.kind, trials.c.number)
    for trial in reading.trial.each(connection.execute(chosen)):
        if trial.search in owner:  # not of a search that began after the statement before this one
            owner[trial.search].trials[trial.search].append(trial)
    for row in connection.execute(_joined(_sums(), trials).where(of_chunk)):
        total = read_total(row)
        if total.search in owner:
            owner[total.search].totals[total.search].append(total)
    opened = _joined(sa.select(openings), openings).where(of_chunk, openings.c.dataset.is_(None))
    for row in connection.execute(opened.order_by(openings.c.id)):
        opening = reading.opening(row)
        if opening.search in owner:
            owner[opening.search].openings[opening.search].append(opening)


def _sums() -> sa.Select[Any]:
    group, cost = (trials.c.search, trials.c.kind, trials.c.state), trials.c.device_seconds
    sums = {"device_seconds": sa.func.sum(cost), "least": sa.func.min(cost), "most": sa.func.max(cost)}
    counted = sa.func.count().label("count")
    return sa.select(*group, counted, *(value.label(name) for name, value in sums.items())).group_by(*group)


def _joined(query: sa.Select[Any], table: sa.Table) -> sa.Select[Any]:
    return query.join(searches, table.c.search == searches.c.id)
