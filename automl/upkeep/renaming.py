"""Gives a campaign another name. Its id stays: that is its identity here and in MLflow."""

from __future__ import annotations

import re

from automl.contracts import RunError, UserError
from automl.ledger import CampaignRow, Ledger, Store

LONGEST = 100  # characters
_NAME = re.compile(r"[\w.+][\w.+ -]*")


def rename(store: Store, ledger: Ledger, campaign: CampaignRow, label: str) -> str:
    """Call a campaign `label` beside its id, or by its id alone when that is given. What was done, in words.

    Raises `UserError` for a name that is taken, or that a campaign may get.
    """
    wanted = None if label == campaign.id else _checked(ledger, campaign, label)
    ledger.label_campaign(campaign.id, wanted)
    text = f"{campaign.id} is called {label!r} now" if wanted else f"{campaign.id} has no other name any more"
    row = ledger.campaign(campaign.id)
    if row is None or row.recorded == 0:
        return text
    from automl.recorder.naming import rename_run  # importing mlflow takes a second

    try:
        rename_run(store, row)
    except RunError as error:
        return f"{text}; MLflow does not have it yet: {error}"
    return f"{text}, in MLflow too"


def _checked(ledger: Ledger, campaign: CampaignRow, label: str) -> str:
    if not _NAME.fullmatch(label) or len(label) > LONGEST:
        raise UserError(
            f"NEW must be of letters, digits, spaces, dots, plus and minus signs, at most {LONGEST}, but got "
            f"{label!r}; choose another one"
        )
    rows = ledger.campaigns()
    taken = {row.id for row in rows} | {row.study for row in rows}
    taken |= {row.label for row in rows if row.label and row.id != campaign.id}
    study, _, number = label.rpartition("-")
    if label in taken or (number.isdigit() and study in {row.study for row in rows}):
        raise UserError(
            f"NEW must be a name that no study, campaign or other label has or may get, but got {label!r}; "
            "choose another one"
        )
    return label
