"""What the ledger says of a study's models, carried out in MLflow's registry; may be repeated at any time."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from automl.contracts import RunError
from automl.export.signing import sign_text
from automl.private import private
from automl.promoting.decision import Content
from automl.promoting.history import Models, models_of

if TYPE_CHECKING:
    from automl.ledger import Ledger, Store
    from automl.ledger.promotions import PromotionRow
    from automl.recorder.versions import WantedRegistry, WantedVersion

FOLDER: Final = "models"  # of the store: what was promoted, kept beside MLflow


def folder_of(store: Store, study: str, model: str) -> Path:
    """Where the files of a promoted model are kept."""
    return store.folder / FOLDER / study / model


@contextmanager
def alone(store: Store) -> Iterator[None]:
    """Let one process of this store's folder at a time decide, or carry out what was decided."""
    with private():
        store.folder.mkdir(parents=True, exist_ok=True)
        with (store.folder / "promote.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def models(ledger: Ledger, study: str) -> Models:
    """The models of a study, as the ledger has them."""
    return models_of(ledger.promotions(study))


def settle(store: Store, ledger: Ledger, study: str, *, always: bool = False) -> list[str]:
    """Carry out what the registry may not have yet; `always`: everything. Tells what has changed.

    Raises `RunError` when MLflow is away, or when the files of a model are missing.
    """
    found = models(ledger, study)
    if not (found.open or always) or not found.seen:
        return []
    from automl.recorder.versions import register  # importing mlflow takes a second

    wanted = wanted_registry(store, found, study)
    versions = register(store, wanted, lambda text: sign_text(text, store)) if wanted.versions else {}
    ledger.carry_out([row.id for row in found.open], versions)
    return [
        f"{model} is version {version} now, and was version {found.versions[model]}"
        for model, version in versions.items()
        if found.versions.get(model) not in (None, version)
    ]


def faults(store: Store, ledger: Ledger, study: str) -> list[str]:
    """How MLflow's registry differs from the ledger, in words."""
    found = models(ledger, study)
    if not found.promoted:
        return []
    from automl.recorder.versions import faults as registry_faults  # importing mlflow takes a second

    return registry_faults(store, wanted_registry(store, found, study))


def wanted_registry(store: Store, found: Models, study: str) -> WantedRegistry:
    """What MLflow's registry must have of a study."""
    from automl.recorder.versions import WantedRegistry  # importing mlflow takes a second

    versions = [_version(store, found, model, row) for model, row in found.promoted.items()]
    return WantedRegistry(study, versions, {"champion": found.champion, "previous": found.previous})


def _version(store: Store, found: Models, model: str, row: PromotionRow) -> WantedVersion:
    from automl.recorder.registry import TrainingRun  # importing mlflow takes a second
    from automl.recorder.versions import ARCHIVED, GATE, WantedVersion

    content, folder = Content.of(row), folder_of(store, row.study, model)
    if not folder.is_dir():
        raise RunError(
            f"the files of a promoted model must be in {folder}, but are not; run the command where it was "
            "promoted, or restore that folder from a backup"
        )
    tags = {
        GATE: f"forced: {content.forced}" if content.forced else "passed",
        f"{GATE}.at": _moment(row.at),
        f"{GATE}.by": row.by,
        f"{GATE}.sentence": content.sentence,
        **{f"{GATE}.{_key(one.name)}": one.sentence for one in content.conditions},
        "automl.campaign": str(row.campaign),
        "automl.arm": str(content.arm),
        "automl.trial": str(content.trial),
    }
    if model in found.archived:
        archived = found.archived[model]
        reason = Content.of(archived).sentence
        tags[ARCHIVED] = f"{_moment(archived.at)} by {archived.by}: {reason}"
    metric = "value" if content.measured is None else content.measured.metric
    own = {key: value for key, value in tags.items() if not key.startswith((GATE, ARCHIVED))}
    run = TrainingRun(
        identity=model,
        metric=metric,
        params={"measured": json.dumps(row.content.get("measured"), sort_keys=True)},
        values=dict(content.metrics),
        tags=own,
    )
    return WantedVersion(run, folder, tags)


def _key(name: str) -> str:
    """The name of a condition as the end of a tag's key."""
    return name.replace(",", "").replace(" ", "_")


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
