"""The page of a campaign in MLflow that compares its arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.contracts import UserError
from automl.masking import mask
from automl.recorder.experiments import make_client
from automl.recorder.form import form_in
from automl.recorder.telling import told
from automl.recorder.uids import run_uid
from automl.recorder.view import PREFIX, address, campaign_key, campaign_view

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.ledger.store import Store


def open_page(store: Store, campaign: CampaignRow, host: str, port: int) -> str:
    """Store the view of a campaign in its experiment, and return its address.

    On a store with a tracking server, the address is there. Raises `UserError` when MLflow has no run of it.
    """
    with told(store, f"show {campaign.id}"):
        client = make_client(store)
        experiment = client.get_experiment_by_name(campaign.study)
        uid = run_uid(campaign.created_at, campaign.id)
        query = f"tags.\"automl.uid\" = '{uid}'"
        runs = [] if experiment is None else client.search_runs([experiment.experiment_id], query)
        if experiment is None or not runs:
            raise UserError(
                f"a campaign must be in MLflow to be shown, but {campaign.id} is not; write it with "
                f"`automl audit {campaign.id} --repair`"
            )
        key, view = campaign_key(campaign), campaign_view(campaign, form_in(runs[0].data.tags, campaign))
        if experiment.tags.get(PREFIX + key) != view:
            client.set_experiment_tag(experiment.experiment_id, PREFIX + key, view)
    return address(_base(store, host, port), experiment.experiment_id, key)


def _base(store: Store, host: str, port: int) -> str:
    if store.tracking_uri.startswith(("http://", "https://")):
        return mask(store.tracking_uri).rstrip("/")
    shown = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host  # addresses to listen on, not to open
    return f"http://{f'[{shown}]' if ':' in shown else shown}:{port}"
