"""The versions of a study's models in MLflow's registry, as the ledger wants them, and as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from automl.moments import moment
from automl.recorder.experiments import make_client
from automl.recorder.registry import TrainingRun, register_model
from automl.recorder.telling import told
from automl.recorder.texts import clean_key, short

if TYPE_CHECKING:
    from automl.ledger.store import Store

ALIASES: Final = ("champion", "previous")
GATE: Final = "automl.gate"  # begins the tags of a version that say what the gate found
ARCHIVED: Final = "automl.archived"
_LONGEST: Final = 5000


@dataclass(frozen=True)
class WantedVersion:
    """A model that must have a version. `folder`: its files; `tags`: of the version."""

    run: TrainingRun
    folder: Path
    tags: Mapping[str, str]

    @property
    def identity(self) -> str:
        """What names the model and its run."""
        return self.run.identity


@dataclass(frozen=True)
class WantedRegistry:
    """The models of the study `name`, in the order of their versions, and which of them has each alias."""

    name: str
    versions: Sequence[WantedVersion]
    aliases: Mapping[str, str | None]


@dataclass(frozen=True)
class StoredVersion:
    """A version as MLflow has it. `identity`: of the training it is of; `metrics`: of its run."""

    version: int
    identity: str
    aliases: tuple[str, ...]
    tags: Mapping[str, str]
    metrics: Mapping[str, float] = field(default_factory=dict)


def stored_versions(store: Store, name: str, *, metrics: bool = False) -> list[StoredVersion]:
    """All versions of a study's models, the oldest first; none where it has no models."""
    with told(store, f"the models of {name}"):
        return _stored(make_client(store), name, metrics)


def register(store: Store, wanted: WantedRegistry, sign: Callable[[str], str]) -> dict[str, int]:
    """Make the registry what is wanted; may be repeated. Returns the version of each model, by identity.

    Versions that something else has made, and aliases of other names, stay as they are.
    """
    with told(store, f"the models of {wanted.name}"):
        client = make_client(store)
        found = {one.identity: one.version for one in _stored(client, wanted.name, False)}
        for one in wanted.versions:
            if one.identity not in found:
                made = register_model(
                    store, name=wanted.name, folder=one.folder, run=one.run, alias=None, sign=sign
                )
                found[one.identity] = int(made)
        stored = {one.identity: one for one in _stored(client, wanted.name, False)}
        for one in wanted.versions:
            _set_tags(client, wanted.name, stored[one.identity], _tags(one))
        _set_aliases(client, wanted, found)
        return {one.identity: found[one.identity] for one in wanted.versions}


def faults(store: Store, wanted: WantedRegistry) -> list[str]:
    """How the registry differs from what is wanted, in words; changes nothing."""
    with told(store, f"the models of {wanted.name}"):
        stored = {one.identity: one for one in _stored(make_client(store), wanted.name, False)}
    found = [f"{one.identity} has no version" for one in wanted.versions if one.identity not in stored]
    for one in wanted.versions:
        has = stored.get(one.identity)
        if has is not None and _differing(has.tags, _tags(one)):
            found.append(f"version {has.version} has other tags")
    for alias, identity in wanted.aliases.items():
        holders = [one for one in stored.values() if alias in one.aliases]
        holder = holders[0].identity if holders else None
        if holder != identity:
            found.append(f"{alias} is {_named(stored, holder)}, but must be {_named(stored, identity)}")
    return found


def _named(stored: Mapping[str, StoredVersion], identity: str | None) -> str:
    if identity is None:
        return "no version"
    return f"version {stored[identity].version}" if identity in stored else identity


def _stored(client: MlflowClient, name: str, metrics: bool) -> list[StoredVersion]:
    try:
        aliases = client.get_registered_model(name).aliases
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return []
        raise
    found = sorted(client.search_model_versions(f"name = '{name}'"), key=lambda one: int(one.version))
    return [_read(client, one, aliases, metrics) for one in found]


def _read(
    client: MlflowClient, one: ModelVersion, aliases: Mapping[str, str], metrics: bool
) -> StoredVersion:
    own = tuple(sorted(alias for alias, version in aliases.items() if str(version) == str(one.version)))
    tags = dict(one.tags)
    values: Mapping[str, float] = {}
    if metrics and one.run_id:
        try:
            values = client.get_run(one.run_id).data.metrics
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
    return StoredVersion(int(one.version), tags.get("automl.id", f"version {one.version}"), own, tags, values)


def _tags(wanted: WantedVersion) -> dict[str, str]:
    return {clean_key(key): short(value, _LONGEST) for key, value in wanted.tags.items()}


def _differing(stored: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    ours = (GATE, ARCHIVED)
    return {key: value for key, value in stored.items() if key.startswith(ours)} != {
        key: value for key, value in wanted.items() if key.startswith(ours)
    }


def _set_tags(client: MlflowClient, name: str, stored: StoredVersion, wanted: Mapping[str, str]) -> None:
    version = str(stored.version)
    for key, value in wanted.items():
        if stored.tags.get(key) != value:
            client.set_model_version_tag(name, version, key, value)
    for key in stored.tags:
        if key.startswith((GATE, ARCHIVED)) and key not in wanted:
            client.delete_model_version_tag(name, version, key)


def _set_aliases(client: MlflowClient, wanted: WantedRegistry, versions: Mapping[str, int]) -> None:
    if not versions:
        return
    present = client.get_registered_model(wanted.name).aliases
    for alias, identity in wanted.aliases.items():
        version = None if identity is None else str(versions[identity])
        if version is None and alias in present:
            client.delete_registered_model_alias(wanted.name, alias)
            moment("request.end", "delete_alias")
        elif version is not None and str(present.get(alias)) != version:
            client.set_registered_model_alias(wanted.name, alias, version)
            moment("request.end", "set_alias")
