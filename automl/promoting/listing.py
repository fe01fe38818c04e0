"""The models of a study as `automl models` shows them: versions, aliases, values, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import JsonValue

from automl.promoting.decision import Content, Decision, decision_of
from automl.promoting.history import Models, models_of
from automl.promoting.registry import faults
from automl.report.plain import plain

if TYPE_CHECKING:
    from automl.ledger import Ledger, Store
    from automl.recorder.versions import StoredVersion


@dataclass(frozen=True)
class Version:
    """A version of MLflow's registry. `state`: champion, previous, earlier, left, archived or trained.

    `values`: of its test set where it was promoted with some, else of its training, by metric. `why`: the
    sentence of the decision.
    """

    version: int
    state: str
    aliases: tuple[str, ...]
    campaign: str | None
    arm: str | None
    values: Mapping[str, float]
    why: str


@dataclass(frozen=True)
class Listing:
    """All versions, the newest first, all decisions in their order, and how registry and ledger differ."""

    study: str
    versions: tuple[Version, ...]
    decisions: tuple[Decision, ...]
    faults: tuple[str, ...]

    def to_json(self) -> dict[str, JsonValue]:
        """Plain JSON."""
        data = plain(self)
        return data if isinstance(data, dict) else {}


def listing(ledger: Ledger, store: Store, study: str) -> Listing:
    """What there is of a study's models. Raises `RunError` when MLflow is away."""
    from automl.recorder.versions import stored_versions  # importing mlflow takes a second

    rows = ledger.promotions(study)
    found = models_of(rows)
    stored = stored_versions(store, study, metrics=True)
    return Listing(
        study=study,
        versions=tuple(_version(found, one) for one in reversed(stored)),
        decisions=tuple(decision_of(row, found.version(row.before)) for row in rows),
        faults=tuple(faults(store, ledger, study)),
    )


def _version(found: Models, stored: StoredVersion) -> Version:
    row = found.promoted.get(stored.identity)
    tags = stored.tags
    if row is None:
        campaign = tags.get("automl.campaign")
        return Version(
            stored.version, "trained", stored.aliases, campaign, tags.get("automl.arm"), stored.metrics, ""
        )
    content = Content.of(row)
    values = dict(content.metrics)
    if content.measured is not None and content.measured.test:
        test = content.measured.test
        values[f"test {content.measured.metric}"] = sum(test) / len(test)
    why = content.sentence
    if stored.identity in found.archived:
        why = Content.of(found.archived[stored.identity]).sentence
    return Version(
        stored.version, _state(found, stored.identity), stored.aliases, row.campaign, content.arm, values, why
    )


def _state(found: Models, model: str) -> str:
    if model == found.champion:
        return "champion"
    if model in found.archived:
        return "archived"
    if model == found.previous:
        return "previous"
    return "earlier" if model in found.earlier else "left"
