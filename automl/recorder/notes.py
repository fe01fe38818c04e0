"""What the page of a campaign says in MLflow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.ledger.rows import CampaignRow
from automl.recorder.texts import clean_key

if TYPE_CHECKING:
    from automl.report.against import Against


def last_tags(last: Against | None) -> dict[str, str]:
    """The tags of a campaign about the last one of its study; none without one."""
    if last is None:
        return {}
    return {
        "automl.last": last.answer,
        "automl.last.campaign": last.against,
        "automl.last.sentence": last.sentence,
    }


def campaign_note(campaign: CampaignRow, last: Against | None = None) -> str:
    """The note on the pages of a campaign and of its experiment, as Markdown."""
    metric = campaign.summary.primary
    best = clean_key(f"best_{metric.name}")
    arms = ", ".join(f"`{arm}`" for arm in campaign.summary.arms)
    compared = "" if last is None else f"\n\nAgainst the last campaign: {last.sentence}."
    return (
        f"Study **{campaign.study}**: arms {arms}, {metric.direction} `{metric.name}`.\n\n"
        "Tree: campaign > search (arm/seed) > trial. To compare the arms at equal cost, show only the "
        "searches (search for tags.`automl.kind` = 'search'; the page loads the newest 100 runs first) "
        f"and chart `{best}` by step: steps of a search are device-milliseconds, so this is the "
        "best value so far against the cost. Steps of a trial are epochs or folds."
        f"{compared}"
    )
