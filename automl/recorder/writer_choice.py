"""Which writer a store gets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import mlflow

from automl.recorder.client import ClientWriter
from automl.recorder.direct import DirectWriter
from automl.recorder.experiments import make_client, open_campaign_experiment
from automl.recorder.mlflow_marker import VERIFIED
from automl.recorder.uploads import Staging
from automl.recorder.writer import Beat, Writer

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.ledger.store import Store

DIRECT_SCHEMES: Final = ("sqlite", "postgresql")


def open_writer(store: Store, campaign: CampaignRow, beat: Beat = lambda: None) -> Writer:
    """The fastest writer that is known to be right for this store and MLflow version."""
    client = make_client(store)
    experiment = open_campaign_experiment(client, store, campaign)
    staging = Staging(store.folder / "staging")
    if store.tracking_uri.startswith(DIRECT_SCHEMES) and mlflow.__version__ in VERIFIED:
        return DirectWriter(client, experiment, campaign, store.tracking_uri, staging)
    return ClientWriter(client, experiment, campaign, staging, beat)
