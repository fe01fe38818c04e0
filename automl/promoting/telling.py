"""Tells the targets of a study that its champion has changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from automl.notifying import announcer_of
from automl.promoting.decision import decision_of

if TYPE_CHECKING:
    from automl.ledger import Ledger, Store
    from automl.ledger.promotions import PromotionRow


def tell_of_champions(ledger: Ledger, store: Store, study: str, tell: Callable[[str], None]) -> None:
    """Tell of each decision that gave a study another champion, or took it away, once.

    Those of earlier commands too, which a kill had ended between the decision and this. The targets are those
    of the campaign that a model is of. Nothing here fails; what cannot be told is said by `tell`.
    """
    for row in ledger.promotions(study):
        if row.before != row.after:
            _tell(ledger, store, row, tell)


def _tell(ledger: Ledger, store: Store, row: PromotionRow, tell: Callable[[str], None]) -> None:
    campaign = None if row.campaign is None else ledger.campaign(row.campaign)
    if campaign is None:  # deleted
        return
    decision = decision_of(row)
    facts = {
        "action": decision.action,
        "model": decision.model,
        "version": decision.version,
        "arm": decision.arm,
        "by": decision.by,
        "conditions": [condition.sentence for condition in decision.conditions],
    }
    announcer = announcer_of(ledger, store, campaign, tell)
    announcer.promoted(campaign.id, f"{row.study}-{row.number}", decision.sentence, facts)
