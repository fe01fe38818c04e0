"""What MLflow has of a campaign's memory of earlier ones: tags by arm, and all of it as a file."""

from __future__ import annotations

from automl.contracts import CampaignMemory
from automl.masking import mask
from automl.recorder.texts import to_json
from automl.recorder.wanted_run import Artifact


def memory_file(memory: CampaignMemory) -> Artifact:
    """All that is remembered."""
    return Artifact("memory.json", text=to_json(mask(memory.to_json())))


def memory_tags(memory: CampaignMemory) -> dict[str, str]:
    """What a campaign remembers, by arm: campaigns, and how many proposals and trials of them."""
    tags = {}
    for arm in memory.arms:
        plan = memory.plan(arm)
        if plan is not None:
            trials = len(plan.trials) if arm in memory.history else 0
            tags[f"automl.memory.{arm}.campaigns"] = ", ".join(source.campaign for source in plan.sources)
            tags[f"automl.memory.{arm}.trials"] = f"{len(plan.first)} first, {trials} as history"
            tags[f"automl.memory.{arm}.dropped"] = str(sum(plan.dropped.values()))
            cost = sum(source.device_seconds for source in plan.sources)
            tags[f"automl.memory.{arm}.had_cost"] = f"{cost:g}"
    return tags
