"""Opens the sealed test set for winners of finished searches; each opening is recorded and counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from automl import plugins
from automl.campaign.search import Search
from automl.contracts import Config, Tabular, TrialState
from automl.data import load_task
from automl.data.sealed import open_test, open_test_column
from automl.executors.process import use_cpus
from automl.ledger import Ledger


def open_tables(searches: Sequence[Search], count: int, ledger: Ledger) -> None:
    """Open the test columns of benchmark tables, each table once, for all winners that have one."""
    groups: defaultdict[tuple[str, str], dict[str, Config]] = defaultdict(dict)
    for search in searches:
        evaluator = plugins.build("evaluators", search.final_evaluator)
        if search.best is not None and isinstance(evaluator, Tabular) and evaluator.options.test:
            groups[evaluator.options.file, evaluator.options.test][search.row.id] = search.best.trained
    for (file, column), winners in groups.items():
        ids = ledger.open_tests({name: f"winner of {name}" for name in winners})
        openings = [ids[name] for name in winners]
        values = open_test_column(file, column, list(winners.values()), count, openings=openings)
        ledger.close_tests(dict(zip(openings, values, strict=True)))


def open_data(search: Search, ledger: Ledger) -> None:
    """Open the test set once for a search's winner and score all its fresh-seed models."""
    trials = ledger.trials(search=search.row.id)
    models = [trial for trial in trials if trial.kind == "final" and trial.state is TrialState.COMPLETE]
    evaluator = plugins.build("evaluators", search.final_evaluator)
    if search.best is None or not models or evaluator.simulated:
        return
    settings = search.settings
    opening = ledger.open_test(search.row.id, f"winner of {search.row.id}")
    task = load_task(settings.task, settings.import_path)
    data = open_test(settings.task, settings.import_path, opening=opening.id)
    if not settings.gpus:
        use_cpus(settings.cpus)
    primary = settings.metrics[0]
    scores = [evaluator.score(Path(model.workdir or "") / "model", task, data, [primary]) for model in models]
    details = scores if any(len(score) > 1 for score in scores) else None
    ledger.close_test(opening.id, [score[primary.name] for score in scores], details)
