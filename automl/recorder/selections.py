"""What MLflow says of a search whose winner was selected among its best, evaluated again (`final.top`)."""

from __future__ import annotations

from collections.abc import Sequence

from automl.ledger.rows import CampaignRow, SearchRow, TrialRow
from automl.report.reevaluated import Reevaluated, reevaluated


def selection_of(
    campaign: CampaignRow, search: SearchRow, trials: Sequence[TrialRow]
) -> tuple[Reevaluated | None, dict[str, str]]:
    """What selected the winner of a search of `campaign`, and its tags; None where the best trial wins."""
    final = campaign.spec.get("final") or {}
    direction = campaign.summary.primary.direction
    again = reevaluated(search, trials, direction, final.get("top", 1), final.get("seeds", 0))
    if again is None:
        return None, {}
    changed = str(again.changed).lower()
    return again, {"automl.best_of_search": again.candidates[0].trial, "automl.winner_changed": changed}
