"""How a saved learner is built, as `config.json` of its folder says it; needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from automl.contracts import Config

FORMAT = 1


@dataclass(frozen=True)
class BackboneDescription:
    """The arguments of a `Backbone`."""

    name: str
    shape: tuple[int, ...]
    width: int
    transductive: bool


@dataclass(frozen=True)
class LearnerDescription:
    """A learner by name with its options and backbone, and the `config` of the trial that trained it."""

    learner: str
    options: Mapping[str, Any]
    backbone: BackboneDescription
    ways: int
    config: Config = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The description as plain JSON values."""
        backbone = self.backbone
        return {
            "format": FORMAT,
            "learner": self.learner,
            "options": dict(self.options),
            "backbone": [backbone.name, list(backbone.shape), backbone.width, backbone.transductive],
            "ways": self.ways,
            "config": self.config,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LearnerDescription:
        """The description that `to_json` wrote."""
        name, shape, width, transductive = data["backbone"]
        return cls(
            learner=data["learner"],
            options=data["options"],
            backbone=BackboneDescription(name, tuple(shape), width, transductive),
            ways=data["ways"],
            config=data.get("config", {}),
        )
