"""What the pages of campaigns and of their experiment say in MLflow."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from automl.ledger.rows import CampaignRow
from automl.recorder.form import MILLISECOND, SECOND, TRIAL, Form
from automl.recorder.texts import clean_key

if TYPE_CHECKING:
    from automl.recorder.results import Result
    from automl.report.against import Against

STEPS: Final = {
    SECOND: "whole device-seconds, so that its chart by step is the best value so far against the cost",
    MILLISECOND: "device-milliseconds; with `device_seconds` as the axis, the chart counts seconds",
    TRIAL: "ended trials; with `device_seconds` as the axis, the chart is the best value against the cost",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|])")


def last_tags(last: Against | None) -> dict[str, str]:
    """The tags of a campaign about the last one of its study; none without one."""
    if last is None:
        return {}
    return {
        "automl.last": last.answer,
        "automl.last.campaign": last.against,
        "automl.last.sentence": last.sentence,
    }


def campaign_note(campaign: CampaignRow, form: Form, result: Result) -> str:
    """The description of a campaign's run, as Markdown: the verdicts first, then how to read the charts."""
    metric, last = campaign.summary.primary, result.last
    parts = [f"- {_literal(sentence)}" for sentence in result.sentences]
    verdicts = "\n".join(parts) + "\n\n" if parts else ""
    winner = result.tags.get("automl.winner")
    won = f"Winner: `{winner}`.\n\n" if winner else ""
    best = clean_key(f"best_{metric.name}")
    compared = "" if last is None else f"\n\nAgainst the last campaign: {last.sentence}."
    return (
        f"{verdicts}{won}{_study(campaign)}\n\nA step of `{best}` in the run of a search counts "
        f"{STEPS[form.step]}. Steps of a trial are epochs or folds.{compared}"
    )


def experiment_note(campaign: CampaignRow) -> str:
    """The description of a study's experiment, as Markdown."""
    return (
        f"{_study(campaign)}\n\nTree: campaign > search (arm/seed) > trial. The page loads the newest 100 "
        "runs, trials among them, and shows a search without its campaign where that one is older. To "
        "compare the arms, open the view *Arms* (button Views), or search for tags.`automl.kind` = 'search', "
        f"or run `automl ui {campaign.study}`."
    )


def _study(campaign: CampaignRow) -> str:
    metric = campaign.summary.primary
    arms = ", ".join(f"`{arm}`" for arm in campaign.summary.arms)
    return f"Study **{campaign.study}**: arms {arms}, {metric.direction} `{metric.name}`."


def _literal(text: str) -> str:
    """Names of arms may hold what Markdown understands."""
    return _MARKDOWN.sub(r"\\\1", text)
