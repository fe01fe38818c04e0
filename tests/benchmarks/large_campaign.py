"""A campaign of very many trials, written into a ledger at once, for benchmarks and tests."""

from __future__ import annotations

import math
import random
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from automl.campaign.clock import CampaignClock
from automl.campaign.continuing import Wanted, choose_campaign
from automl.campaign.planning import plan_searches
from automl.config import load_study, resolve
from automl.ledger import Ledger, SearchRow, resolve_store
from automl.ledger.tables import attempts, campaigns, reports, searches, trials
from automl.progress import QuietProgress
from automl.storage import open_ledger

TOGETHER = 2000  # trials in one transaction
STUDY = """
name: large
task: {{metric: loss, direction: minimize}}
space: "large_code:SPACE"
evaluator: {{function: {{call: "large_code:objective"}}}}
budget: {{trials: {trials}}}
seeds: {seeds}
arms: {{random: {{strategy: random}}, tpe: {{strategy: tpe{pruner}}}}}
executor: local
final: {{seeds: 0}}
record: {record}
"""
CODE = """
from automl.space import Choice, Float, Int, Space

SPACE = Space({
    "lr": Float(1e-4, 1e-1, log=True), "width": Int(8, 256, step=8), "act": Choice(["relu", "gelu"]),
    "drop": Float(0.0, 0.5),
})


def objective(config, context):
    for step in range(1, STEPS + 1):
        context.report(step, config["drop"] + 1 / step)
    return config["drop"] + abs(config["lr"] - 0.01)
"""


@dataclass(frozen=True)
class Size:
    """Trials of all searches together, reports of each trial, seeds of each of the two arms."""

    trials: int
    points: int = 10
    seeds: int = 5
    record: str = "trials"
    pruner: str = ""

    @property
    def each(self) -> int:
        """Trials of a search."""
        return self.trials // (2 * self.seeds)


def write_study(folder: Path, size: Size, *, more: int = 0) -> Path:
    """The file of the study in `folder`, with its code; `more`: trials of each search besides."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "large_code.py").write_text(CODE.replace("STEPS", str(size.points)))
    pruner = f", pruner: {size.pruner}" if size.pruner else ""
    file = folder / "large.yaml"
    file.write_text(
        STUDY.format(trials=size.each + more, seeds=size.seeds, record=size.record, pruner=pruner)
    )
    return file


def fill(ledger: Ledger, file: Path, size: Size, *, finished: bool = True) -> str:
    """Write a campaign of `size` as its driver would have; returns its id.

    `finished`: its searches and the campaign have ended; otherwise it was interrupted.
    """
    resolved = resolve(load_study(file))
    row = choose_campaign(ledger, resolved, None, Wanted(), QuietProgress()).row
    wanted = [(arm, seed) for seed in resolved.study.seeds for arm in resolved.study.arms]
    began = time.time() - 0.1 * size.trials
    for place, search in enumerate(ledger.add_searches(row.id, wanted)):
        best = None
        for first in range(0, size.each, TOGETHER):
            numbers = range(first, min(size.each, first + TOGETHER))
            rows = [_trial(search, number, began + place * 1e-3) for number in numbers]
            _write(ledger, rows, size.points)
            least = min(rows, key=lambda one: one["values"][0])
            best = least if best is None or least["values"] < best["values"] else best
        if finished and best is not None:
            ledger.finish_search(search.id, f"budget: {size.each} trials", best["id"])
    if finished:
        ended = {"state": "finished", "finished_at": time.time()}
        ledger._db.write(
            lambda c: c.execute(sa.update(campaigns).where(campaigns.c.id == row.id).values(ended))
        )
    created = sa.update(campaigns).where(campaigns.c.id == row.id).values(created_at=began - 10)
    ledger._db.write(lambda c: c.execute(created))
    older = sa.update(searches).where(searches.c.campaign == row.id)
    ledger._db.write(
        lambda c: c.execute(older.values(created_at=searches.c.created_at - time.time() + began - 5))
    )
    return row.id


def _trial(search: SearchRow, number: int, began: float) -> dict[str, Any]:
    rng = random.Random(f"{search.id}/{number}")
    config = {
        "lr": math.exp(rng.uniform(math.log(1e-4), math.log(1e-1))),
        "width": 8 * rng.randint(1, 32),
        "act": rng.choice(["relu", "gelu"]),
        "drop": rng.uniform(0.0, 0.5),
    }
    at = began + number
    return {
        "id": f"{search.id}/{number}", "search": search.id, "kind": "trial", "number": number,
        "state": "complete", "attempt": 1, "token": f"{rng.getrandbits(64):016x}", "config": config,
        "seed": rng.getrandbits(31), "asked_after": number, "told": number,
        "values": [config["drop"] + abs(config["lr"] - 0.01) + 1e-9 * number],
        "metrics": {}, "attributes": {},
        "device_seconds": 0.5 + rng.random(), "reason": "", "artifacts": [], "workdir": None,
        "host": "here", "device": "cpu", "started_at": at, "finished_at": at + 0.9,
    }  # fmt: skip


def _points(trial: dict[str, Any], count: int) -> Iterator[dict[str, Any]]:
    for step in range(1, count + 1):
        yield {
            "trial": trial["id"], "step": step, "value": trial["config"]["drop"] + 1 / step, "metrics": None,
            "device_seconds": 0.05 * step, "at": trial["started_at"] + 0.05 * step, "attempt": 1,
        }  # fmt: skip


def _attempt(trial: dict[str, Any]) -> dict[str, Any]:
    kept = ("token", "reason", "device_seconds", "host", "started_at", "finished_at")
    named = {"trial": trial["id"], "attempt": 1, "ending": "complete"}
    return {**named, **{name: trial[name] for name in kept}}


def _write(ledger: Ledger, rows: Sequence[dict[str, Any]], points: int) -> None:
    def work(connection: sa.Connection) -> None:
        connection.execute(sa.insert(trials), list(rows))
        connection.execute(sa.insert(attempts), [_attempt(row) for row in rows])
        if points:
            connection.execute(sa.insert(reports), [one for row in rows for one in _points(row, points)])

    ledger._db.write(work, synced=False)


def rebuild(file: Path) -> int:
    """Make the searches of the latest campaign of a study as a restart does; how many there are."""
    resolved = resolve(load_study(file))
    with open_ledger(resolve_store()) as ledger:
        row = ledger.latest(resolved.study.name)
        if row is None:
            raise SystemExit(f"{file} must have a campaign, but there is none; fill one first")
        folder = file.parent / "store/work" / row.id
        return len(plan_searches(resolved, row, ledger, folder, CampaignClock()))


if __name__ == "__main__":
    sys.stdout.write(f"{rebuild(Path(sys.argv[1]))} searches\n")
