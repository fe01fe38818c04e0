"""What a campaign remembers of earlier ones, told when it begins, and when it goes on with other arms."""

from __future__ import annotations

from automl.config import ResolvedStudy
from automl.contracts import CampaignMemory
from automl.identity import Identity
from automl.ledger import Ledger
from automl.progress import Progress
from automl.provenance import DataIdentity
from automl.remembering import remember
from automl.report import memory_lines


def recall(
    ledger: Ledger, resolved: ResolvedStudy, data: DataIdentity | None, now: Identity, progress: Progress
) -> CampaignMemory | None:
    """The memory of a campaign that is about to begin. Raises `UserError` for a name that does not fit."""
    memory = remember(ledger, resolved, data, now)
    for line in memory_lines(memory) if memory is not None else ():
        progress.message(f"memory: {line}")
    return memory


def tell_of_arms_without(ledger: Ledger, campaign: str, resolved: ResolvedStudy, progress: Progress) -> None:
    """Name arms that ask for a memory in a campaign that goes on and was begun without it."""
    asking = [name for name, arm in resolved.arms.items() if arm.memory is not None]
    memory = ledger.memory(campaign) if asking else None
    without = [name for name in asking if memory is None or name not in memory.arms]
    if without:
        progress.message(
            f"{', '.join(without)}: no memory in {campaign}, since it is fixed when a campaign begins; "
            "start another one with --fresh"
        )
