"""After the test: the model that predicts is fitted once more, on all rows, those of the test included.

Its scores stay those of the model that was fitted on the training rows, which is what was tested.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from automl.campaign.limits import CampaignLimits
from automl.campaign.outlook import TRIED
from automl.campaign.search import Search
from automl.config import ResolvedStudy, Study
from automl.contracts import Candidate, Direction, Metric, RunError
from automl.files import MODEL, LostFileError, StorageError, part_of
from automl.ledger import Ledger, TrialRow, retrainings
from automl.progress import Progress
from automl.report import collect
from automl.report.chosen import choose


def refit_ratio(resolved: ResolvedStudy) -> float:
    """How many times as many rows all of them are as those for training."""
    return resolved.all_rows / resolved.rows if resolved.rows else 1.0


def begin_refit(study: Study, ledger: Ledger, limits: CampaignLimits, campaign: str, tell: Progress) -> bool:
    """Let the search of the model that predicts fit it on all rows; False when there is nothing to do.

    Without time for it the model that was tested predicts, which is told.
    """
    search = _predicting(limits, ledger, campaign) if study.final.refit else None
    if search is None or limits.stopped or not search.lacks_refit:
        return False
    seconds = search.outlook.refitted(limits.limits.wall_seconds or math.inf)
    if limits.out_of_time() or not limits.fits(TRIED * seconds):
        tell.message(
            f"no time was left to fit the model of {search.row.id} on all rows (some {seconds:.1f} s): "
            "the one that was fitted on the training rows predicts"
        )
        return False
    search.refits = True
    return True


def _predicting(limits: CampaignLimits, ledger: Ledger, campaign: str) -> Search | None:
    """The search whose winner predicts, once it has been tested."""
    report = collect(ledger, campaign)
    chosen = choose(report.arms.values(), report.metric.direction, folds=report.by_folds)
    if chosen is None or not chosen.search.test:
        return None
    wanted = chosen.arm, chosen.search.seed
    return next((one for one in limits.searches if (one.row.arm, one.row.seed) == wanted), None)


@dataclass(frozen=True)
class Tested:
    """A model that is fitted on all rows. `description`: as the best retraining, which `left` it, says.

    Where that cannot be read, its configuration and seed. `opening`: of its test.
    """

    description: Mapping[str, Any]
    opening: int
    left: Candidate


def described(ledger: Ledger, row: TrialRow, metric: Metric) -> Tested:
    """What the refit `row` fits on all rows. Raises `RunError` when nothing was opened."""
    finals = [one for one in retrainings(row.config, ledger.trials_after(row.search)) if one.values]
    sign = 1 if metric.direction is Direction.MAXIMIZE else -1
    best = max(finals, key=lambda one: sign * one.values[0] if one.values else 0.0, default=row)
    opened = [
        one.id
        for one in ledger.all_openings(row.search.split("/")[0])
        if one.search == row.search and one.dataset is None and one.values
    ]
    if not opened:
        raise RunError(f"a model must be tested before it is fitted on all rows, but {row.search} was not")
    value = best.values[0] if best.values else 0.0
    kept = (best.workdir, best.storage, best.files)
    left = Candidate(best.id, best.config, value, best.device_seconds, *kept)
    return Tested(_read(best) or {"config": row.config, "seed": best.seed}, opened[-1], left)


def _read(final: TrialRow) -> Mapping[str, Any] | None:
    try:
        with part_of(final, MODEL) as folder:
            found: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            return found
    except (OSError, ValueError, LostFileError, StorageError):
        return None
