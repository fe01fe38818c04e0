"""Whether a scheduled campaign would repeat the last one: the same study, code and data, with other seeds."""

from __future__ import annotations

from automl.campaign.growth import compared_with, grow, shifted
from automl.config import Study
from automl.identity import Identity
from automl.ledger import CampaignRow, Ledger
from automl.provenance import Provenance


def changed_since(ledger: Ledger, latest: CampaignRow, study: Study, now: Identity) -> list[str]:
    """What differs from the study's latest campaign, in words; empty when nothing does.

    A campaign that found nothing, or was begun by a version that noted less, is no reason to leave one out.
    """
    if latest.state != "finished":
        return [f"{latest.id} was interrupted"]
    if not any(search.winner for search in ledger.searches(latest.id)):
        return [f"{latest.id} found nothing"]
    began = Provenance.from_json(latest.provenance).identity
    if not began:
        return [f"{latest.id} was begun by a version that did not note its code and data"]
    before, found = compared_with(latest, study)
    if before is None:
        return [f"{latest.id} is of a study that this version cannot read"]
    found += now.changes_since(began)
    growth = grow(before, shifted(study, before.seed_shift))
    return [*map(str, found), *growth.more, *growth.kept]
