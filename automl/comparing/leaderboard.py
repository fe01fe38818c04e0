"""All campaigns of a study, the best first; campaigns on other data are ranked apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from automl.contracts import Direction, Metric, UserError, digest
from automl.report.chosen import Chosen, choose
from automl.report.comparable import measured
from automl.report.plain import plain
from automl.report.searches import Level
from automl.report.standing import Standing, standings
from automl.report.statistics import paired

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.report.records import Records


@dataclass(frozen=True)
class Entry:
    """A campaign. `rank`: in its group, None for one that has not finished or found nothing.

    `value`: the winner's when it was selected. `fresh` and `test`: means over the seeds of its arm,
    `interval` that of `fresh` (95 %). `config`: digest of the winner's configuration.
    """

    rank: int | None
    campaign: str
    status: str
    arm: str | None
    config: str | None
    value: float | None
    fresh: float | None
    interval: tuple[float, float] | None
    test: float | None
    seeds: int
    device_seconds: float
    created_at: float


@dataclass(frozen=True)
class Board:
    """Campaigns whose values are of the same: one metric, and the same data (`data`: their digest).

    `level`: what they are ranked by.
    """

    metric: Metric
    dataset: str | None
    data: str | None
    level: Level
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Leaderboard:
    """The boards of a study, that of its latest campaign first."""

    study: str
    boards: tuple[Board, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Plain JSON."""
        return {"study": self.study, "boards": plain(self.boards)}


def leaderboard(ledger: Records, rows: Sequence[CampaignRow]) -> Leaderboard:
    """The leaderboard of a study's campaigns. Raises `UserError` without any."""
    if not rows:
        raise UserError("a leaderboard must be of a study that has run; see them with: automl list campaigns")
    groups: dict[str, list[Standing]] = {}
    for one in sorted(standings(ledger, rows), key=lambda one: one.created_at, reverse=True):
        groups.setdefault(measured(one), []).append(one)
    return Leaderboard(rows[0].study, tuple(_board(group) for group in groups.values()))


def _board(group: Sequence[Standing]) -> Board:
    first = group[0]
    sign = 1 if first.metric.direction is Direction.MAXIMIZE else -1
    entries = [_entry(one) for one in group]
    ranked = [entry for entry in entries if entry.status == "finished" and entry.value is not None]
    level: Level = "fresh" if ranked and all(entry.fresh is not None for entry in ranked) else "validation"

    def worth(entry: Entry) -> float:
        value = entry.fresh if level == "fresh" else entry.value
        return -math.inf if value is None else sign * value

    ranked.sort(key=worth, reverse=True)
    places = {entry.campaign: place for place, entry in enumerate(ranked, 1)}
    rest = [entry for entry in entries if entry.campaign not in places]
    return Board(
        metric=first.metric,
        dataset=first.settings.dataset,
        data=first.data,
        level=level,
        entries=tuple(
            Entry(**{**vars(entry), "rank": places.get(entry.campaign)}) for entry in (*ranked, *rest)
        ),
    )


def _entry(one: Standing) -> Entry:
    chosen = choose(one.arms.values(), one.metric.direction, folds=one.by_folds)
    searches = [search for arm in one.arms.values() for search in arm.searches]
    own = one.arms[chosen.arm].searches if chosen else ()
    fresh = paired([value for search in own if (value := search.value("fresh")) is not None])
    test = paired([value for search in own if (value := search.value("test")) is not None])
    return Entry(
        rank=None,
        campaign=one.campaign,
        status=one.status,
        arm=chosen.arm if chosen else None,
        config=_digest(chosen) if chosen else None,
        value=chosen.best.value if chosen else None,
        fresh=fresh.mean,
        interval=fresh.interval,
        test=test.mean,
        seeds=len(own) or len({search.seed for search in searches}),
        device_seconds=sum(search.device_seconds for search in searches),
        created_at=one.created_at,
    )


def _digest(chosen: Chosen) -> str:
    return digest(dict(chosen.best.trained))[:12]
