"""The alias `candidate`: the model that was trained last. It says nothing of how good that is, so we do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from automl.contracts import Direction
from automl.recorder.experiments import make_client
from automl.recorder.registry import CANDIDATE
from automl.recorder.telling import told
from automl.recorder.texts import clean_key

if TYPE_CHECKING:
    from automl.ledger.store import Store


@dataclass(frozen=True)
class _Known:
    """A version, its value on validation data, and the digest of its data."""

    version: str
    value: float | None
    data: str


def move_candidate(store: Store, name: str, version: str, metric: str, direction: Direction) -> str:
    """Give `candidate` to a version; what that means beside the version that had it, in a sentence."""
    with told(store, f"the models of {name}"):
        client = make_client(store)
        now, before = _known(client, name, version, metric), _holder(client, name, metric)
        client.set_registered_model_alias(name, CANDIDATE, version)
    if before is None:
        return f"{CANDIDATE} is version {version}, the first one"
    if before.version == version:
        return f"{CANDIDATE} stays version {version}"
    against = _against(now, before, metric, direction)
    return f"{CANDIDATE} is version {version} now, after version {before.version}{against}"


def _against(now: _Known, before: _Known, metric: str, direction: Direction) -> str:
    if now.value is None or before.value is None:
        return f", of which no {metric} is recorded"
    values = f"{metric} {now.value:.4g}, after {before.value:.4g}, on validation data"
    if now.data != before.data:
        return f": they were trained on other data, and do not compare ({values})"
    if now.value == before.value:
        return f": no better and no worse ({values})"
    better = direction.better(now.value, before.value)
    advice = "" if better else f"; automl models shows them, and a client can give {CANDIDATE} back"
    return f", which was {'worse' if better else 'BETTER'} ({values}){advice}"


def _holder(client: MlflowClient, name: str, metric: str) -> _Known | None:
    aliases = client.get_registered_model(name).aliases
    return _known(client, name, str(aliases[CANDIDATE]), metric) if CANDIDATE in aliases else None


def _known(client: MlflowClient, name: str, version: str, metric: str) -> _Known:
    try:
        run = client.get_run(str(client.get_model_version(name, version).run_id))
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return _Known(version, None, "")
    return _Known(version, run.data.metrics.get(clean_key(metric)), run.data.tags.get("automl.data", ""))
