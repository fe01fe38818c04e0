"""What a request is about: a campaign, one of its searches, or one of their trials."""

from __future__ import annotations

from dataclasses import dataclass

from automl.config.document import nearest
from automl.contracts import TrialState, UserError
from automl.ledger import CampaignRow, Ledger


@dataclass(frozen=True)
class Target:
    """`kind`: campaign, search or trial. `ended`: how it has ended, in words; "" while it has not."""

    campaign: CampaignRow
    id: str
    kind: str
    ended: str = ""


def target_of(ledger: Ledger, campaign: CampaignRow, rest: str = "") -> Target:
    """The campaign itself, or its search `ARM/SEED`, or its trial `ARM/SEED/NUMBER`.

    Raises `UserError` when the campaign has no such search or trial.
    """
    if not rest:
        ended = campaign.reason or "it is complete" if campaign.state == "finished" else ""
        return Target(campaign, campaign.id, "campaign", ended)
    identity = f"{campaign.id}/{rest.rstrip('/')}"
    searches = {row.id: row for row in ledger.searches(campaign.id)}
    if identity in searches:
        row = searches[identity]
        ended = row.reason or "it is complete" if row.state == "finished" else ""
        return Target(campaign, identity, "search", ended)
    trial = ledger.trial(identity)
    if trial is not None:
        ended = "" if trial.state is TrialState.RUNNING else f"it is {trial.state.value}"
        return Target(campaign, identity, "trial", ended)
    if (search := identity.rpartition("/")[0]) in searches:
        trials = ledger.trials(search=search)
        running = [row.id for row in trials if row.state is TrialState.RUNNING]
        known = running or [row.id for row in trials[-3:]]
        whole = (
            ""
            if trials or campaign.summary.record == "trials"
            else ("; a search that is recorded as a whole has no trials until it ends: stop the search")
        )
        raise UserError(
            f"TRIAL must be one of {search}, but got {identity!r}; {nearest(identity, known)}{whole}"
        )
    raise UserError(
        f"a search must be one of {campaign.id}, but got {identity!r}; {nearest(identity, searches)}"
    )
