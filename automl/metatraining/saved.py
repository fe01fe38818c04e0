"""Learners as objects and as folders: `weights.pt` (parameters) and `config.json` (how to build one)."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from automl.checkpoints import write_atomically
from automl.contracts import Config, Task, UserError
from automl.learners.backbones import Backbone
from automl.learners.base import Learner
from automl.metatraining.description import BackboneDescription, LearnerDescription
from automl.metatraining.options import MetaLearnOptions, find_learner


def build_learner(options: MetaLearnOptions, task: Task, ways: int, seed: int) -> Learner:
    """A fresh learner. Raises `UserError` for tasks it cannot learn."""
    name = options.backbone_for("regression" if task.kind == "functions" else "classification")
    backbone = Backbone(name, task.shape, options.width, transductive=options.transductive)
    learner = find_learner(options.learner)
    return learner(options.learner_options(), backbone, ways=ways, seed=seed)


def save_learner(learner: Learner, name: str, config: Config, folder: Path) -> None:
    """Write the learner called `name`, trained by `config`, to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(learner.parameters_for_export(), folder / "weights.pt")
    network = learner.backbone
    backbone = BackboneDescription(network.name, network.shape, network.width, network.transductive)
    description = LearnerDescription(name, learner.options.model_dump(), backbone, learner.ways, config)
    write_atomically(folder / "config.json", json.dumps(description.to_json(), indent=1).encode())


def load_learner(folder: Path) -> Learner:
    """The learner that `save_learner` left in `folder`. Raises `UserError` when it is not whole."""
    try:
        description = LearnerDescription.from_json(
            json.loads((folder / "config.json").read_text(encoding="utf-8"))
        )
        weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise UserError(
            f"a model folder must hold config.json and weights.pt, but {folder}: {error}; export it again"
        ) from error
    made = description.backbone
    backbone = Backbone(made.name, made.shape, made.width, transductive=made.transductive)
    plugin = find_learner(description.learner)
    learner = plugin(plugin.Options(**description.options), backbone, ways=description.ways, seed=0)
    learner.take_exported(weights)
    return learner
