"""Saved networks: a state dict and how to build the module around it, loaded without pickles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import torch
from torch import nn

from automl import plugins
from automl.checkpoints import write_atomically
from automl.contracts import Config, Context, Task, UserError
from automl.space import Space
from automl.training import images
from automl.training.recipe import NetworkOptions

FORMAT = 1


def save_network(model: nn.Module, config: Config, context: Context, options: NetworkOptions) -> None:
    """Leave `weights.pt` (a state dict) and `config.json` (how to build it) in `<workdir>/model`."""
    folder = context.workdir / "model"
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    torch.save(weights, folder / "weights.pt")
    description = {
        "format": FORMAT,
        "builder": _reference(builder_of(context.space)),
        "config": config,
        "shape": list(context.task.shape),
        "classes": context.task.classes,
        "options": options.model_dump(),
    }
    write_atomically(folder / "config.json", json.dumps(description, indent=1).encode())


def load_network(folder: Path, device: str = "cpu") -> nn.Module:
    """The network that `save_network` left in `folder`. Raises `UserError` when it is not whole."""
    try:
        description = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"a model folder must hold config.json and weights.pt, but {folder}: {error}; export it again"
        ) from error
    options = description["options"]
    model: nn.Module = _resolve(description["builder"])(
        description["config"],
        tuple(description["shape"]),
        description["classes"],
        channels=options["channels"],
        cells=options["cells"],
    )
    model.load_state_dict(weights)
    return images.place(model, device)


def build_network(space: Space, config: Config, task: Task, options: NetworkOptions) -> nn.Module:
    """The untrained network of `config` on the CPU, with the channels and cells of `options`."""
    model: nn.Module = builder_of(space)(
        config, task.shape, task.classes, channels=options.channels, cells=options.cells
    )
    return model


def builder_of(space: Space) -> Callable[..., Any]:
    """The network builder of `space`. Raises `UserError` without one that a saved model could find again."""
    if space.network is None:
        raise UserError(
            "training a network needs a space that builds networks, but this one has no `network` "
            "builder; choose another space or evaluator (automl list)"
        )
    _reference(space.network)
    return space.network


def _reference(builder: Callable[..., Any]) -> str:
    """`module:function` of a network builder, by which a saved model finds it again."""
    if not isinstance(builder, FunctionType | type) or "<" in builder.__qualname__:
        raise UserError(
            "a space's network builder must be a function defined at the top of its module, but got "
            f"{builder!r}; define it with def"
        )
    return f"{builder.__module__}:{builder.__qualname__}"


def _resolve(reference: str) -> Callable[..., nn.Module]:
    package, _, name = reference.partition(":")[0].rpartition(".")
    if package == "automl_plugins.spaces":
        plugins.load("spaces", name)
    builder: Callable[..., nn.Module] = plugins.load_attribute(reference)
    return builder
