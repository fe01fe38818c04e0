"""Models in MLflow's registry: plain folders (weights, configuration), never pickles.

A version's source is the folder `model` among the artifacts of the training's run, and its tags
hold the sha256 of every file, so that what is loaded is what was registered, and a signature of these.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlflow import MlflowClient
from mlflow.artifacts import download_artifacts
from mlflow.entities import Metric, Param
from mlflow.exceptions import MlflowException

from automl.contracts import Report, RunError, UserError, digest
from automl.moments import moment
from automl.recorder.experiments import make_client, open_experiment
from automl.recorder.points import millis
from automl.recorder.telling import reason_of, told
from automl.recorder.texts import clean_key, clean_text, flatten, short

if TYPE_CHECKING:
    from automl.ledger.store import Store

FOLDER: Final = "model"  # among the artifacts of the run
CANDIDATE: Final = "candidate"
SIGNATURE: Final = "automl.signature"  # the tag of a version
_SUM: Final = "sha256."  # begins the tag of each file
_LONGEST: Final = 6000
_COMPILED: Final = "__pycache__"  # folders of what Python makes when a model is loaded where it lies
_OF_MLFLOW: Final = "registered_model_meta"  # what MLflow writes beside the files that it loads


@dataclass(frozen=True)
class TrainingRun:
    """What is recorded of a training. Each `identity` is recorded and registered once.

    `params` may be nested plain data; `reports` are those of `metric`; `values` are final metrics.
    """

    identity: str
    metric: str
    params: Mapping[str, object]
    values: Mapping[str, float]
    reports: Sequence[Report] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fetched:
    """A registered model in `folder`. `contents`: what its `signature` should be of; None: it has none."""

    folder: Path
    contents: str
    signature: str | None


def register_model(
    store: Store,
    *,
    name: str,
    folder: Path,
    run: TrainingRun,
    alias: str | None = CANDIDATE,
    sign: Callable[[str], str] | None = None,
) -> str:
    """Record a training in the experiment `name` and register its model `folder` there as `name`.

    Returns the version, which `alias` (None: none) then points to. `sign`: makes a signature of a text.
    Raises `UserError` when the folder holds no files.
    """
    sums = _sums(folder)
    if not sums:
        raise UserError(f"a model must be a folder with files, but {str(folder)!r} has none; train it first")
    with told(store, "register a model"):
        return _registered(store, name, folder, run, alias, sums, sign)


def _registered(
    store: Store,
    name: str,
    folder: Path,
    run: TrainingRun,
    alias: str | None,
    sums: Mapping[str, str],
    sign: Callable[[str], str] | None,
) -> str:
    client = make_client(store)
    experiment = open_experiment(client, store, name)
    run_id = _record(client, experiment.id, run, folder)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = _existing(client, name, run_id)
    if version is None:
        source = f"{client.get_run(run_id).info.artifact_uri}/{FOLDER}"
        tags = {f"{_SUM}{path}": value for path, value in sums.items()}
        tags["automl.id"] = run.identity
        if sign is not None:
            tags[SIGNATURE] = sign(_contents(name, sums))
        version = str(client.create_model_version(name, source, run_id, tags).version)
        moment("request.end", "create_model_version")
    if alias is not None:
        client.set_registered_model_alias(name, alias, version)
    return version


def fetch_model(store: Store, name: str, to: Path, alias: str = CANDIDATE) -> Fetched:
    """Copy the model `name` with this `alias` into the folder `to` and check every file.

    Who may write to the server can change files and sums alike: see `export.registered`. Raises
    `UserError` when there is none, `RunError` when its files are not those that were registered.
    """
    with told(store, f"the download of {name}"):
        return _fetched(store, name, to, alias)


def _fetched(store: Store, name: str, to: Path, alias: str) -> Fetched:
    client = make_client(store)
    try:
        version = client.get_model_version_by_alias(name, alias)
    except MlflowException as error:
        raise UserError(
            f"a model must be registered to be fetched, but {name}@{alias} is not: {reason_of(error)}"
        ) from None
    to.mkdir(parents=True, exist_ok=True)
    uri = f"runs:/{version.run_id}/{FOLDER}"
    folder = Path(download_artifacts(artifact_uri=uri, dst_path=str(to), tracking_uri=store.tracking_uri))
    registered = {
        key.removeprefix(_SUM): value for key, value in version.tags.items() if key.startswith(_SUM)
    }
    for made in list(folder.rglob(_COMPILED)):  # of whoever loaded it there: it is run in place of its source
        shutil.rmtree(made)
    fetched = _sums(folder)
    if fetched != registered:
        wrong = sorted({path for path, _ in registered.items() ^ fetched.items()})
        raise RunError(
            f"{name} version {version.version} must have the files it was registered with, but "
            f"{', '.join(wrong)} differ; do not load it; register the model again"
        )
    return Fetched(folder, _contents(name, fetched), version.tags.get(SIGNATURE))


def _contents(name: str, sums: Mapping[str, str]) -> str:
    """One text for the model `name` with these files, which is signed."""
    return digest([name, dict(sums)])


def _record(client: MlflowClient, experiment: str, run: TrainingRun, folder: Path) -> str:
    found = client.search_runs([experiment], f"tags.\"automl.id\" = '{run.identity}'", max_results=1)
    if found and found[0].info.status == "FINISHED":
        return str(found[0].info.run_id)
    if found:  # of a process that was killed before it had recorded all
        client.delete_run(found[0].info.run_id)
    our_tags = {"automl.id": run.identity, "automl.kind": "train", "mlflow.source.name": "automl"}
    created = client.create_run(experiment, tags={**run.tags, **our_tags}, run_name=run.identity)
    run_id = str(created.info.run_id)
    moment("request.end", "create_run")
    params = [Param(clean_key(key), short(clean_text(value), _LONGEST)) for key, value in flatten(run.params)]
    client.log_batch(run_id, _metrics(run), params)
    client.log_artifacts(run_id, str(folder), FOLDER)
    client.set_terminated(run_id, "FINISHED")
    return run_id


def _metrics(run: TrainingRun) -> list[Metric]:
    at = millis(time.time())
    name = clean_key(run.metric)
    points = [
        Metric(name, report.value, at, report.step) for report in run.reports if report.value is not None
    ]
    for report in run.reports:
        points += [Metric(clean_key(key), value, at, report.step) for key, value in report.metrics.items()]
    last = max((report.step for report in run.reports), default=0)
    return points + [Metric(clean_key(key), value, at + 1, last) for key, value in run.values.items()]


def _existing(client: MlflowClient, name: str, run_id: str) -> str | None:
    for version in client.search_model_versions(f"name = '{name}'"):
        if version.run_id == run_id:
            return str(version.version)
    return None


def _sums(folder: Path) -> dict[str, str]:
    """The sha256 of every file below `folder`, by its path there; compiled ones may come later."""
    paths = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    kept = sorted(name for name in paths if name.name != _OF_MLFLOW and _COMPILED not in name.parts)
    return {str(name): hashlib.sha256(paths[name].read_bytes()).hexdigest() for name in kept}
