"""What the end of a campaign does about promotion: by itself only where the study says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from automl.contracts import RunError
from automl.promoting.deciding import Wanted, promote
from automl.promoting.decision import Decision, decision_of

if TYPE_CHECKING:
    from automl.config import Promote
    from automl.ledger import CampaignRow, Ledger, Store


@dataclass(frozen=True)
class AtEnd:
    """What came of a campaign that has ended: a decision where one was taken now, and a line about it."""

    decision: Decision | None = None
    told: str = ""


def at_end(ledger: Ledger, store: Store, campaign: str, gate: Promote | None) -> AtEnd:
    """Promote the winner of a finished campaign, or tell how, by the `gate` of its study.

    A campaign is judged once for each time it ends: one that has grown is judged again. A registry that is
    away fails no campaign: this is told, and the decision is carried out later. Raises `UserError` when the
    campaign cannot be judged.
    """
    row = ledger.campaign(campaign)
    if gate is None or row is None or row.state != "finished" or is_judged(ledger, row):
        return AtEnd()
    if not gate.automatically:
        return AtEnd(None, f"it can be promoted: automl promote {campaign}")
    try:
        decision = promote(ledger, store, campaign, Wanted(gate))
    except RunError as error:
        written = [one for one in ledger.promotions(campaign=campaign) if one.finished_at == row.finished_at]
        if not written:
            raise
        decision = decision_of(written[-1])
        return AtEnd(decision, f"{decision.sentence}\nMLflow's registry does not have this yet: {error}")
    return AtEnd(decision, decision.sentence)


def is_judged(ledger: Ledger, row: CampaignRow) -> bool:
    """Whether a campaign, as it has ended, has been before the gate."""
    return any(one.finished_at == row.finished_at for one in ledger.promotions(campaign=row.id))


def is_owed(ledger: Ledger, row: CampaignRow) -> bool:
    """Whether a finished campaign that has a winner has to be judged by itself, and has not been."""
    automatically = bool((row.spec.get("promote") or {}).get("automatically"))
    if not automatically or row.state != "finished" or is_judged(ledger, row):
        return False
    return any(search.winner for search in ledger.searches(row.id))


def owed_by_firing(ledger: Ledger, firing: int | None) -> str | None:
    """The campaign of a firing that is complete but for its promotion: its process was killed before."""
    row = None if firing is None else ledger.campaign_of_firing(firing)
    if row is None or row.recorded < 2 or not is_owed(ledger, row):
        return None
    return row.id
