"""A week of nightly campaigns of a small study of a table, on a simulated clock."""

from __future__ import annotations

import random
import textwrap
from collections.abc import Iterable
from pathlib import Path

from schedule_examples import Done

from automl import schedule, storage
from automl.campaign import Wanted, run_campaign
from automl.config import load_study
from automl.contracts import UserError
from automl.ledger import FiringRow, Ledger, ScheduleRow, Store
from automl.progress import progress_for

MIDNIGHT = 1768089600.0  # 2026-01-11 00:00 UTC
DAY = 86400.0
NIGHT = 2 * 3600.0  # two hours after midnight
STUDY = """
name: nightly
task: {{dataset: rows.csv, target: y, metric: balanced_accuracy, split: {{test: 0.2, validation: 0.2}}}}
space:
  name: tabular
  fix: {{model: knn}}
evaluator: {{pipeline: {{folds: 2}}}}
budget: {{trials: {trials}}}
seeds: {seeds}
final: {{seeds: 0}}
memory: {{from: last, top: 2}}
arms:
  tpe: {{strategy: tpe, twin: true}}
schedule: {{cron: "0 2 * * *", when: {when}}}
"""


def write_rows(folder: Path, count: int = 90, noise: float = 0.05) -> None:
    """A table with two useful columns of three; `noise`: the share of rows with a wrong class."""
    rng = random.Random(4)
    lines = ["a,b,c,y"]
    for _ in range(count):
        a, b, c = (rng.gauss(0, 1) for _ in range(3))
        wrong = rng.random() < noise
        lines.append(f"{a:.4f},{b:.4f},{c:.4f},{'yes' if (a * b > 0) != wrong else 'no'}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")


class Week:
    """The nights of one study. What each campaign said while it ran is in `said`, by night."""

    def __init__(
        self, folder: Path, store: Store, *, when: str = "always", trials: int = 3, seeds: int = 1
    ) -> None:
        self.folder, self.store = folder, store
        self.file = folder / "nightly.yaml"
        self.file.write_text(textwrap.dedent(STUDY.format(when=when, trials=trials, seeds=seeds)))
        write_rows(folder)
        with storage.open_ledger(store) as ledger:
            row = schedule.add(ledger, load_study(self.file), self.file)
            ledger.put_schedule(ScheduleRow(**{**vars(row), "planned_until": MIDNIGHT}))

    def run(self, nights: Iterable[int]) -> None:
        """Fire the slot of each night."""
        for night in nights:
            schedule.tick(self.store, self.launch, now=MIDNIGHT + (night - 1) * DAY + NIGHT)

    def launch(self, planned: ScheduleRow, firing: FiringRow, store: Store, log: Path) -> Done:
        """Run the campaign of a firing to its end in this process."""
        wanted = Wanted(firing=firing.id)
        try:
            study = load_study(planned.file)
            run_campaign(study, store=store, wanted=wanted, progress=progress_for("quiet"))
        except UserError as error:
            log.write_text(f"{error}\n")
            return Done(2)
        return Done(0)


def firings(ledger: Ledger) -> list[tuple[str, str | None]]:
    """State and campaign of each night."""
    return [(firing.state, firing.campaign) for firing in ledger.firings("nightly")]
