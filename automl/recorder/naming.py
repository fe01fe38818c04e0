"""The name of a campaign's run, which may be changed after it was recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from automl.recorder.experiments import make_client
from automl.recorder.telling import told
from automl.recorder.uids import campaign_name, run_uid

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.ledger.store import Store


def rename_run(store: Store, campaign: CampaignRow) -> None:
    """Give the run of a campaign its present name. Raises `RunError` when MLflow is away."""
    with told(store, f"rename {campaign.id}"):
        client = make_client(store)
        experiment = client.get_experiment_by_name(campaign.study)
        if experiment is None:
            return
        query = f"tags.\"automl.uid\" = '{run_uid(campaign.created_at, campaign.id)}'"
        for run in client.search_runs([experiment.experiment_id], query):
            client.update_run(run.info.run_id, name=campaign_name(campaign))
