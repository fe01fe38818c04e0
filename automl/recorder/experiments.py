"""The client of a store's MLflow, and the experiment of a study there."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from automl.contracts import RunError
from automl.recorder.mlflow_marker import condition
from automl.recorder.notes import experiment_note
from automl.recorder.texts import clean_key
from automl.recorder.view import ARMS_TAG, arms_view

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.ledger.store import Store


@dataclass(frozen=True)
class Experiment:
    """The experiment of a study: its id and where its artifacts go."""

    id: str
    location: str


def make_client(store: Store) -> MlflowClient:
    """A client of the store's MLflow, independent of environment variables.

    Raises `RunError` when its database cannot be used: MLflow itself would try for two minutes.
    """
    for name in ("mlflow.store.db.utils", "mlflow.store.tracking.sqlalchemy_store"):
        # they log the statements and tracebacks of what they raise
        logging.getLogger(name).setLevel(logging.CRITICAL)
    found = condition(store)
    if found.broken or found.away:
        raise RunError(found.broken or found.away)
    return MlflowClient(tracking_uri=store.tracking_uri, registry_uri=store.tracking_uri)


def open_campaign_experiment(client: MlflowClient, store: Store, campaign: CampaignRow) -> Experiment:
    """The experiment named after the study, with what MLflow's pages show of it."""
    metric = campaign.summary.primary
    tags = {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": clean_key(metric.name),
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(metric.direction == "maximize"),
        "mlflow.note.content": experiment_note(campaign),
        ARMS_TAG: arms_view(campaign),
    }
    experiment = open_experiment(client, store, campaign.study)
    found = client.get_experiment(experiment.id)
    if found.name != campaign.study:  # runs would go where nobody looks for them
        raise RunError(
            f"MLflow must give the experiment {campaign.study!r} by its id {experiment.id}, but gives "
            f"{found.name!r:.100}; see what answers at its address, then run the command again"
        )
    present = found.tags
    for key, value in tags.items():
        if present.get(key) != value:
            client.set_experiment_tag(experiment.id, key, value)
    return experiment


def open_experiment(client: MlflowClient, store: Store, name: str) -> Experiment:
    """The experiment of that name, created or restored if necessary."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        remote = store.tracking_uri.startswith("http")  # a server chooses the place of artifacts
        location = None if remote else f"{_as_uri(store.artifacts)}/{name}"
        try:
            client.create_experiment(name, artifact_location=location)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise RunError(
                f"MLflow must keep the experiment {name!r} it has created, but lost it; run the command again"
            )
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return Experiment(experiment.experiment_id, experiment.artifact_location)


def _as_uri(artifacts: str) -> str:
    return artifacts if "://" in artifacts else Path(artifacts).as_uri()
