"""The note on the pages of a campaign and of its experiment."""

from __future__ import annotations

from automl.ledger.rows import CampaignRow
from automl.recorder.texts import clean_key


def campaign_note(campaign: CampaignRow) -> str:
    """The note as Markdown."""
    metric = campaign.summary.primary
    best = clean_key(f"best_{metric.name}")
    arms = ", ".join(f"`{arm}`" for arm in campaign.summary.arms)
    return (
        f"Study **{campaign.study}**: arms {arms}, {metric.direction} `{metric.name}`.\n\n"
        "Tree: campaign > search (arm/seed) > trial. To compare the arms at equal cost, show only the "
        "searches (search for tags.`automl.kind` = 'search'; the page loads the newest 100 runs first) "
        f"and chart `{best}` by step: steps of a search are device-milliseconds, so this is the "
        "best value so far against the cost. Steps of a trial are epochs or folds."
    )
