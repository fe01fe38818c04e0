"""Puts made-up campaigns into a real ledger."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
from report_examples import BAD, GOOD, FakeLedger, campaign

from automl.ledger import Ledger
from automl.ledger.tables import campaigns, openings, searches, trials

__all__ = ["BAD", "GOOD", "campaign", "plain_json", "store_rows"]


def store_rows(ledger: Ledger, *made: FakeLedger) -> list[str]:
    """Insert all their rows in one transaction; gives the names of the campaigns."""

    def work(connection: sa.Connection) -> None:
        for one in made:
            row: dict[str, Any] = asdict(one.row)
            state = "finished" if one.state == "finished" else "running"
            done = one.row.finished_at if state == "finished" else None
            connection.execute(
                sa.insert(campaigns), {**row, "state": state, "finished_at": done, "recorded": 2}
            )
            winners = [{**asdict(search), "winner": _winner(one, search.id)} for search in one.search_rows]
            for table, rows in (
                (searches, winners),
                (trials, [{**asdict(trial), "state": trial.state.value} for trial in one.trial_rows]),
                (openings, [{k: v for k, v in asdict(row).items() if k != "id"} for row in one.opening_rows]),
            ):
                if rows:
                    connection.execute(sa.insert(table), rows)

    ledger._db.write(work)
    return [one.row.id for one in made]


def _winner(made: FakeLedger, search: str) -> str | None:
    """The best complete trial of a finished search, as a campaign chooses it."""
    rows = [row for row in made.trial_rows if row.search == search and row.kind == "trial" and row.values]
    largest = made.row.spec["task"]["metrics"][0]["direction"] == "maximize"
    sign = 1 if largest else -1
    best = max(rows, key=lambda row: sign * (row.values or [0.0])[0], default=None)
    return None if best is None or made.state != "finished" else best.id


def plain_json(value: object) -> Any:
    """What a program reads of it, without NaN."""
    return json.loads(json.dumps(value, allow_nan=False))
