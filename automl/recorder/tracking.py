"""The MLflow that a store names: its client, the experiment of a study, and how runs are written there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Protocol

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from automl.contracts import RunError
from automl.recorder.images import Artifact, RunImage
from automl.recorder.points import Point
from automl.recorder.projection import campaign_note, study_metrics

if TYPE_CHECKING:
    from automl.ledger.rows import CampaignRow
    from automl.ledger.store import Store

# Versions of MLflow for which tests/recorder/test_equality.py has passed.
VERIFIED: Final = frozenset({"3.17.2"})
DIRECT_SCHEMES: Final = ("sqlite", "postgresql")
SHOWN_DIGEST: Final = (
    12  # characters of a dataset's digest; MLflow keeps 36, the tag `automl.data.digest` all
)


@dataclass(frozen=True)
class Recorded:
    """A run as MLflow has it. `points`: its whole history, or None where only `latest` is known."""

    run_id: str
    identity: str
    uid: str | None
    status: str
    params: dict[str, str]
    tags: dict[str, str]
    latest: dict[str, float]
    points: set[Point] | None = field(default=None)

    @property
    def parent(self) -> str | None:
        """The run id of its parent."""
        return self.tags.get(MLFLOW_PARENT_RUN_ID)


class Writer(Protocol):
    """Makes MLflow hold what it must. `batch`: trials to be written at once."""

    batch: int

    def write(self, images: Sequence[RunImage]) -> None:
        """Make each run as its image says, whatever was there before; parents come before children.

        What others logged under keys that the image does not have stays.
        """

    def append(self, points: dict[str, list[Point]]) -> None:
        """Add points to runs by their uid; runs that do not exist are left out."""

    def read(self) -> list[Recorded]:
        """All active runs that carry an identity of this campaign, the intended one of each first."""

    def upload(self, identity: str, artifacts: Sequence[Artifact]) -> None:
        """Put artifacts into the run of an identity, over what has their names there."""

    def delete(self, run_id: str) -> None:
        """Move a run to MLflow's trash."""

    def settle(self) -> None:
        """Remove doubles that lost answers of a server may have left."""

    def close(self) -> None:
        """Close connections."""


@dataclass(frozen=True)
class Experiment:
    """The experiment of a study: its id and where its artifacts go."""

    id: str
    location: str


def make_client(store: Store) -> MlflowClient:
    """A client of the store's MLflow and of nothing else, whatever the environment says."""
    return MlflowClient(tracking_uri=store.tracking_uri, registry_uri=store.tracking_uri)


def open_writer(store: Store, campaign: CampaignRow) -> Writer:
    """The fastest writer that is known to be right for this store and MLflow version."""
    client = make_client(store)
    experiment = open_campaign_experiment(client, store, campaign)
    if store.tracking_uri.startswith(DIRECT_SCHEMES) and mlflow.__version__ in VERIFIED:
        from automl.recorder.direct import DirectWriter

        return DirectWriter(client, experiment, campaign, store.tracking_uri)
    from automl.recorder.client import ClientWriter

    return ClientWriter(client, experiment, campaign)


def open_campaign_experiment(client: MlflowClient, store: Store, campaign: CampaignRow) -> Experiment:
    """The experiment named after the study, with what MLflow's pages show of it."""
    metric = study_metrics(campaign)[0]
    tags = {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.experiment.primaryMetric.name": metric.name,
        "mlflow.experiment.primaryMetric.greaterIsBetter": str(metric.direction == "maximize"),
        "mlflow.note.content": campaign_note(campaign),
    }
    experiment = open_experiment(client, store, campaign.study)
    present = client.get_experiment(experiment.id).tags
    for key, value in tags.items():
        if present.get(key) != value:
            client.set_experiment_tag(experiment.id, key, value)
    return experiment


def open_experiment(client: MlflowClient, store: Store, name: str) -> Experiment:
    """The experiment of that name, created or restored if need be."""
    found = client.get_experiment_by_name(name)
    if found is None:
        remote = store.tracking_uri.startswith("http")  # a server decides itself where artifacts go
        location = None if remote else f"{_as_uri(store.artifacts)}/{name}"
        try:
            client.create_experiment(name, artifact_location=location)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        found = client.get_experiment_by_name(name)
        if found is None:
            raise RunError(f"MLflow must keep the experiment {name!r} it was told to create, but lost it")
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
    return Experiment(found.experiment_id, found.artifact_location)


def upload(client: MlflowClient, run_id: str, artifacts: Sequence[Artifact]) -> None:
    """Put artifacts into a run, over what has their names there. A file that is gone is left out."""
    texts = [artifact for artifact in artifacts if artifact.path is None and "/" not in artifact.name]
    if texts:  # in one call: each one reads the whole run first
        with TemporaryDirectory(prefix="automl-") as folder:
            for artifact in texts:
                _file(artifact, Path(folder) / artifact.name)
            client.log_artifacts(run_id, folder)
    others = [artifact for artifact in artifacts if artifact not in texts]
    if not others:
        return
    with TemporaryDirectory(prefix="automl-") as folder:
        for artifact in others:
            name = PurePosixPath(artifact.name)
            file = _file(artifact, Path(folder) / name.name)
            if file.is_dir():
                client.log_artifacts(run_id, str(file), str(name))
            elif file.exists():
                client.log_artifact(run_id, str(file), None if len(name.parts) == 1 else str(name.parent))


def _file(artifact: Artifact, copy: Path) -> Path:
    """The artifact under its own name."""
    if artifact.path is None:
        copy.write_text(artifact.text or "", encoding="utf-8", errors="backslashreplace")
        return copy
    if artifact.path.is_dir() or artifact.path.name == copy.name or not artifact.path.exists():
        return artifact.path
    shutil.copyfile(artifact.path, copy)
    return copy


def log_dataset(client: MlflowClient, run_id: str, image: RunImage) -> None:
    """Make the image's dataset an input of the run; once it is, this changes nothing."""
    if image.dataset is None:
        return
    name, digest = image.dataset
    dataset = Dataset(name, digest[:SHOWN_DIGEST], source_type="automl", source=name)
    tags = [InputTag("mlflow.data.context", "search")]
    client.log_inputs(run_id, [DatasetInput(dataset, tags)])


def _as_uri(artifacts: str) -> str:
    return artifacts if "://" in artifacts else Path(artifacts).as_uri()
