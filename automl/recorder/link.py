"""The page of a campaign on a tracking server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit, urlunsplit

from automl.recorder.uids import run_uid
from automl.recorder.within import within

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.ledger.store import Store

PATIENCE: Final = 5.0  # seconds


def campaign_link(store: Store, campaign: CampaignRow) -> str | None:
    """The address of its run, without credentials; None where no server is known, or it does not say soon."""
    if not store.tracking_uri.startswith(("http://", "https://")):
        return None
    try:
        return within(PATIENCE, partial(_find, store, campaign))
    except Exception:  # any error of MLflow: a message goes without the link
        return None


def _find(store: Store, campaign: CampaignRow) -> str | None:
    from automl.recorder.experiments import make_client  # importing mlflow takes a second

    client = make_client(store)
    experiment = client.get_experiment_by_name(campaign.study)
    if experiment is None:
        return None
    query = f"tags.\"automl.uid\" = '{run_uid(campaign.created_at, campaign.id)}'"
    runs = client.search_runs([experiment.experiment_id], query, max_results=1)
    server = urlsplit(store.tracking_uri)
    address = urlunsplit((server.scheme, server.netloc.rpartition("@")[2], server.path.rstrip("/"), "", ""))
    return f"{address}/#/experiments/{experiment.experiment_id}/runs/{runs[0].info.run_id}" if runs else None
