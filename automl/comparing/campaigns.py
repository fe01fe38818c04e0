"""Campaigns side by side: each later one against the first, in values and in everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from automl.comparing.differences import Differences, differences
from automl.contracts import RunError, UserError
from automl.report import CampaignReport, collect
from automl.report.against import Against, against
from automl.report.comparable import comparable
from automl.report.plain import plain
from automl.report.standing import Standing, standing

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.report.records import Records


@dataclass(frozen=True)
class Side:
    """One campaign: its report, and its standing."""

    report: CampaignReport
    standing: Standing

    @property
    def campaign(self) -> str:
        """Its id."""
        return self.report.campaign


@dataclass(frozen=True)
class Pair:
    """A campaign against the first one. `one_table`: their values mean the same."""

    against: Against
    differences: Differences
    one_table: bool


@dataclass(frozen=True)
class Comparison:
    """The campaigns in the order they were named, and each but the first against the first."""

    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]

    @property
    def groups(self) -> list[list[Side]]:
        """Campaigns whose values may stand in one table: those like the first, then each other one."""
        alike, others = [self.sides[0]], []
        for side, pair in zip(self.sides[1:], self.pairs, strict=True):
            if pair.one_table:
                alike.append(side)
            else:
                others.append([side])
        return [alike, *others]

    def to_json(self) -> dict[str, JsonValue]:
        """Plain JSON: the campaigns as `automl report --json` has their arms, then the pairs."""
        return {
            "campaigns": [_side(side.report) for side in self.sides],
            "pairs": [
                {**_fields(pair.against), "differences": plain(pair.differences)} for pair in self.pairs
            ],
        }


def compare_campaigns(
    ledger: Records, rows: Sequence[CampaignRow], within: float | None = None
) -> Comparison:
    """The comparison of at least two campaigns. Raises `UserError` for fewer, or one that is named twice."""
    names = [row.id for row in rows]
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(
            "a comparison must be of two campaigns or more, each named once, but got "
            f"{', '.join(names)}; see them with: automl list campaigns"
        )
    if within is not None and not within >= 0:
        raise UserError(
            f"--within must be a number of 0 or more, but got {within}; leave it out for the default"
        )
    sides = tuple(_of(ledger, row) for row in rows)
    specs = [row.spec for row in rows]
    pairs = [
        Pair(
            against(side.standing, sides[0].standing, within),
            differences((sides[0].report, specs[0]), (side.report, spec)),
            one_table=not comparable(side.standing, sides[0].standing).obstacle,
        )
        for side, spec in zip(sides[1:], specs[1:], strict=True)
    ]
    return Comparison(sides, tuple(pairs))


def _of(ledger: Records, row: CampaignRow) -> Side:
    report = collect(ledger, row.id)
    return Side(report, standing(row, report.status, report.arms, report.test_openings))


def _fields(found: Against) -> dict[str, JsonValue]:
    fields = plain(found)
    if not isinstance(fields, dict):
        raise RunError(f"a comparison must be a JSON object, but is {fields!r}")
    return fields


def _side(report: CampaignReport) -> dict[str, JsonValue]:
    chosen = report.chosen
    winner: JsonValue = None
    if chosen is not None:
        winner = {
            "arm": chosen.arm,
            "seed": chosen.search.seed,
            "trial": chosen.best.trial,
            "config": plain(chosen.best.trained),
            "validation": plain(chosen.best.value),
            "fresh": plain(chosen.search.fresh),
            "test": plain(chosen.search.test),
        }
    return {
        "campaign": report.campaign,
        "study": report.study,
        "status": report.status,
        "metric": report.metric.name,
        "direction": report.metric.direction.value,
        "dataset": report.settings.dataset,
        "created_at": report.created_at,
        "finished_at": report.finished_at,
        "summary": plain(report.comparison.summary),
        "arms": {name: plain(arm.searches) for name, arm in report.arms.items()},
        "winner": winner,
        "test_openings": report.test_openings,
    }
