"""Uploads the artifacts of a run and logs its dataset, both through MlflowClient."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag

from automl.files import LostFileError
from automl.ledger.owner import is_alive, is_same_host, owner_identity
from automl.moments import around
from automl.recorder.wanted_run import Artifact, WantedRun

# characters of a dataset's digest; MLflow keeps 36, the tag `automl.data.digest` all
SHOWN_DIGEST: Final = 12


class Staging:
    """Where files lie until they are uploaded: in the store, so that a killed process leaves none elsewhere.

    The next process removes what a dead one left. `missing`: files that were not there, of which the first
    is told.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.missing = folder, 0
        for part in folder.iterdir() if folder.is_dir() else ():
            owner = part.name.rpartition("-")[0]
            if is_same_host(owner) and not is_alive(owner):
                shutil.rmtree(part, ignore_errors=True)

    @contextmanager
    def part(self) -> Iterator[Path]:
        """An empty folder, which is gone after the block."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f"{owner_identity()}-", dir=self._folder) as part:
            yield Path(part)

    def tell_missing(self, artifact: Artifact, why: str) -> None:
        """Tell the first file that could not be had; an audit lists all of them."""
        self.missing += 1
        if self.missing == 1:
            text = (
                "MLflow gets no %s: %s; `automl audit` lists all such files; where nodes share no folder, "
                "set AUTOML_STORAGE to what they all reach"
            )
            logging.getLogger(__name__).warning(text, artifact.name, why)


def upload(client: MlflowClient, run_id: str, artifacts: Sequence[Artifact], staging: Staging) -> None:
    """Upload artifacts to a run, over files of the same names there. One that is gone is left out, and told.

    Raises `StorageError` when the storage that has one stays away.
    """
    texts = [artifact for artifact in artifacts if artifact.path is None and "/" not in artifact.name]
    if texts:  # in one call: each one reads the whole run first
        with around("upload", "texts"), staging.part() as folder:
            for artifact in texts:
                _file(artifact, folder / artifact.name)
            client.log_artifacts(run_id, str(folder))
    others = [artifact for artifact in artifacts if artifact not in texts]
    if not others:
        return
    with around("upload", "files"), staging.part() as folder:
        for artifact in others:
            name = PurePosixPath(artifact.name)
            try:
                file = _file(artifact, folder / name.name)
            except LostFileError as error:
                staging.tell_missing(artifact, str(error))
                continue
            if file.is_dir():
                client.log_artifacts(run_id, str(file), str(name))
            elif file.exists():
                client.log_artifact(run_id, str(file), None if len(name.parts) == 1 else str(name.parent))
            elif artifact.name != "checkpoint":  # most winners have saved none
                staging.tell_missing(artifact, f"{file} is not on this machine")


def _file(artifact: Artifact, copy: Path) -> Path:
    """The artifact under its own name."""
    if artifact.fetch is not None:
        artifact.fetch(copy)
        return copy
    if artifact.path is None:
        copy.write_text(artifact.text or "", encoding="utf-8", errors="backslashreplace")
        return copy
    if artifact.path.is_dir() or artifact.path.name == copy.name or not artifact.path.exists():
        return artifact.path
    shutil.copyfile(artifact.path, copy)
    return copy


def log_dataset(client: MlflowClient, run_id: str, run: WantedRun) -> None:
    """Make the dataset of a wanted run an input of the stored one; a repetition changes nothing."""
    if run.dataset is None:
        return
    name, digest = run.dataset
    dataset = Dataset(name, digest[:SHOWN_DIGEST], source_type="automl", source=name)
    tags = [InputTag("mlflow.data.context", "search")]
    client.log_inputs(run_id, [DatasetInput(dataset, tags)])
