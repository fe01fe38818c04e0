"""The models of a study by what was decided about them: which is the champion, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from automl.ledger.promotions import PromotionRow


@dataclass(frozen=True)
class Models:
    """The models of a study. `earlier`: champions before the present one, the last one last.

    `promoted`: the row that made each model a champion first; `versions`: those in MLflow's registry.
    `archived`: by model, the row. `seen`: how many decisions these are; `open`: those that the registry may
    not have.
    """

    champion: str | None = None
    earlier: tuple[str, ...] = ()
    promoted: Mapping[str, PromotionRow] = field(default_factory=dict)
    versions: Mapping[str, int] = field(default_factory=dict)
    archived: Mapping[str, PromotionRow] = field(default_factory=dict)
    seen: int = 0
    open: tuple[PromotionRow, ...] = ()

    @property
    def previous(self) -> str | None:
        """The model that a rollback brings back."""
        return self.earlier[-1] if self.earlier else None

    @property
    def champion_row(self) -> PromotionRow | None:
        """The row that made the present champion one, with what it was measured by."""
        return None if self.champion is None else self.promoted[self.champion]

    def version(self, model: str | None) -> int | None:
        """The version of a model in MLflow's registry; None while it has none."""
        return None if model is None else self.versions.get(model)

    def model(self, version: int) -> str | None:
        """The model that has a version."""
        return next((model for model, known in self.versions.items() if known == version), None)

    def named(self, model: str | None) -> str:
        """A model in words."""
        version = self.version(model)
        return str(model) if version is None else f"version {version}"


def models_of(rows: Sequence[PromotionRow]) -> Models:
    """What the decisions about a study, in their order, come to."""
    found = Models()
    for row in rows:
        found = _after(found, row)
    versions = {row.model: row.version for row in rows if row.model and row.version is not None}
    open_ones = tuple(row for row in rows if row.done_at is None)
    return replace(found, versions=versions, seen=len(rows), open=open_ones)


def _after(models: Models, row: PromotionRow) -> Models:
    model = row.model
    if model is None or row.action in ("refuse", "keep"):
        return models
    if row.action == "promote":
        earlier = (*models.earlier, models.champion) if models.champion else models.earlier
        archived = {key: value for key, value in models.archived.items() if key != model}
        return replace(
            models,
            champion=model,
            earlier=_without(earlier, model),
            promoted={**models.promoted, model: row},
            archived=archived,
        )
    if row.action == "rollback":
        return replace(models, champion=model, earlier=_without(models.earlier, model))
    return replace(
        models,
        champion=None if models.champion == model else models.champion,
        earlier=_without(models.earlier, model),
        archived={**models.archived, model: row},
    )


def _without(models: Iterable[str], model: str) -> tuple[str, ...]:
    return tuple(one for one in models if one != model)
