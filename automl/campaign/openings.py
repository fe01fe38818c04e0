"""Opens the sealed test set for winners of finished searches; each opening is recorded and counted.

A search that has grown is opened again when it has another winner or more retrainings; what has been scored
keeps its values.
"""

from __future__ import annotations

import importlib
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from automl import plugins
from automl.campaign.search import Search
from automl.contracts import Evaluator, Tabular, TrialState
from automl.data import load_task
from automl.data.sealed import open_test, open_test_column
from automl.executors.process import use_cpus
from automl.files import MODEL, part_of
from automl.ledger import Ledger, OpeningRow, TrialRow, retrainings, transfers, winner_opening
from automl.selection import shares

LOOK: Final = 0.2  # seconds between two looks at whether a trial has ended
LATEST: Final = 60.0  # seconds after which nobody waits for that


@dataclass(frozen=True)
class Unopened:
    """A search whose winner is not yet scored: its complete retrainings, and what was scored before.

    `dataset`: the name of another one than the study's, on which it was trained.
    """

    search: Search
    models: list[TrialRow]
    before: OpeningRow | None
    dataset: str | None = None

    @cached_property
    def table(self) -> Tabular | None:
        """The evaluator that looks test values up, for a search of a benchmark that has some."""
        if self.dataset is not None:
            return None
        evaluator = plugins.build("evaluators", self.search.final_evaluator)
        return evaluator if isinstance(evaluator, Tabular) and evaluator.options.test else None

    @property
    def behind(self) -> list[str]:
        """The trial behind each value."""
        if self.table is not None and self.search.best is not None:
            settings, best = self.search.settings, self.search.best
            if settings.top == 1:
                return [best.trial] * settings.finals
            return [best.trial] * shares(len(self.table.fresh(best.trained)), settings.finals)[1]
        return [model.id for model in self.models]

    @property
    def unscored(self) -> list[TrialRow]:
        """The retrainings whose models have to be read."""
        done = (self.before.trials if self.before is not None else None) or ()
        return [model for model in self.models if model.id not in done]

    @property
    def is_scored(self) -> bool:
        """Whether nothing is left to score."""
        if self.before is None:
            return not self.behind
        done = self.before.trials
        return (
            done[: len(self.behind)] == self.behind
            if done is not None
            else len(self.before.values or []) >= len(self.behind)
        )


def import_ahead(searches: Sequence[Search]) -> None:
    """Import meanwhile, in a thread, what scoring will need, once trials run: their processes start first.

    An import that fails is told by the scoring.
    """
    names = {one.final_evaluator.name: one.final_evaluator for one in searches if one.settings.finals}
    libraries = [each for spec in names.values() for each in plugins.build("evaluators", spec).libraries]

    def load() -> None:
        latest = time.monotonic() + LATEST
        while time.monotonic() < latest and not any(one.counts.ended for one in searches):
            time.sleep(LOOK)
        with suppress(ImportError):
            for library in dict.fromkeys(libraries):
                importlib.import_module(library)

    if libraries:
        threading.Thread(target=load, name="imports", daemon=True).start()


def unopened(searches: Sequence[Search], ledger: Ledger, campaign: str) -> list[Unopened]:
    """The searches with a winner that is not scored, or not with all its retrainings; on other data, too."""
    openings: defaultdict[tuple[str, str | None], list[OpeningRow]] = defaultdict(list)
    for opening in ledger.all_openings(campaign):
        openings[opening.search, opening.dataset].append(opening)
    found = []
    for search in searches:
        best = search.best
        if best is None or not search.settings.finals:
            continue
        trials = [] if search.settings.simulated else ledger.trials_after(search.row.id)
        trained: dict[str | None, list[TrialRow]] = {None: retrainings(best.trained, trials)}
        trained |= {name: transfers(name, best.trained, trials) for name in search.settings.transfer}
        for dataset, models in trained.items():
            before = winner_opening(best.trial, models, openings[search.row.id, dataset])
            complete = [model for model in models if model.state is TrialState.COMPLETE]
            found.append(Unopened(search, complete, before, dataset))
    return [one for one in found if not one.is_scored]


def open_tables(waiting: Sequence[Unopened], ledger: Ledger) -> None:
    """Open the test columns of benchmark tables, each table once, for all winners that have one."""
    groups: defaultdict[tuple[str, str, int], dict[str, Unopened]] = defaultdict(dict)
    for one in waiting:
        if (table := one.table) is not None and one.search.best is not None:
            options = table.options
            key = options.file, options.test or "", len(one.behind)
            groups[key][one.search.row.id] = one
    for (file, column, count), group in groups.items():
        ids = ledger.open_tests({name: one.behind for name, one in group.items()})
        openings = [ids[name] for name in group]
        configs = [one.search.best.trained for one in group.values() if one.search.best is not None]
        values = open_test_column(file, column, configs, count, openings=openings)
        ledger.close_tests(dict(zip(openings, values, strict=True)))


def open_data(one: Unopened, ledger: Ledger) -> None:
    """Open the test set once for a search's winner and score its fresh-seed models that have no value yet.

    That of the dataset on which they were trained.
    """
    search, models = one.search, one.models
    evaluator = plugins.build("evaluators", search.final_evaluator)
    if search.best is None or not models or evaluator.simulated:
        return
    known = _known(one.before, search.settings.metrics[0].name)
    with ExitStack() as stack:  # fetched before anything is opened
        unknown = [model for model in models if model.id not in known]
        folders = {model.id: stack.enter_context(part_of(model, MODEL)) for model in unknown}
        _score(one, ledger, evaluator, folders, known)


def _score(
    one: Unopened,
    ledger: Ledger,
    evaluator: Evaluator,
    folders: Mapping[str, Path],
    known: Mapping[str, dict[str, float]],
) -> None:
    """Open the test set for the models in `folders`, by trial; others have values that are `known`."""
    search, settings = one.search, one.search.settings
    spec, primary = settings.task_of(one.dataset), settings.metrics[0]
    opening = ledger.open_test(search.row.id, f"winner of {search.row.id}", one.behind, one.dataset)
    task = load_task(spec, settings.import_path)
    data = open_test(spec, settings.import_path, opening=opening.id)
    if not settings.gpus:
        use_cpus(settings.cpus)
    scores = [
        known.get(model.id) or evaluator.score(folders[model.id], task, data, [primary])
        for model in one.models
    ]
    details = scores if any(len(score) > 1 for score in scores) else None
    ledger.close_test(opening.id, [score[primary.name] for score in scores], details)


def _known(opening: OpeningRow | None, metric: str) -> dict[str, dict[str, float]]:
    """What an earlier opening measured, by the trial behind it."""
    if opening is None or opening.trials is None or opening.values is None:
        return {}
    scores = opening.details or [{metric: value} for value in opening.values]
    return dict(zip(opening.trials, scores, strict=True))
