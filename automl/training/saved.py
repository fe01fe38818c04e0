"""Saved networks: a state dict and how to build the module around it, loaded without pickles."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from automl import plugins
from automl.checkpoints import write_atomically
from automl.contracts import Config, Context, Options, UserError
from automl.training import images

FORMAT = 1


def save_network(model: nn.Module, config: Config, context: Context, options: Options) -> None:
    """Leave `weights.pt` (a state dict) and `config.json` (how to build it) in `<workdir>/model`."""
    folder = context.workdir / "model"
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().cpu() for name, value in model.state_dict().items()}
    torch.save(weights, folder / "weights.pt")
    described = {
        "format": FORMAT,
        "builder": _reference(context.space),
        "config": config,
        "shape": list(context.task.shape),
        "classes": context.task.classes,
        "options": options.model_dump(),
    }
    write_atomically(folder / "config.json", json.dumps(described, indent=1).encode())


def load_network(folder: Path, device: str = "cpu") -> nn.Module:
    """The network that `save_network` left in `folder`. Raises `UserError` when it is not whole."""
    try:
        described = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = torch.load(folder / "weights.pt", map_location="cpu", weights_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(
            f"a model folder must hold config.json and weights.pt, but {folder}: {error}; export it again"
        ) from error
    options = described["options"]
    model: nn.Module = _resolve(described["builder"])(
        described["config"],
        tuple(described["shape"]),
        described["classes"],
        channels=options["channels"],
        cells=options["cells"],
    )
    model.load_state_dict(weights)
    return images.place(model, device)


def builder_of(space: Any) -> Callable[..., nn.Module]:
    """The network builder of `space`. Raises `UserError` without one a saved model could find again."""
    builder: Callable[..., nn.Module] | None = getattr(space, "network", None)
    if builder is None:
        raise UserError(
            "the evaluator network needs a space that builds networks, but this one has no `network` "
            "builder; choose another space or evaluator (automl list)"
        )
    _reference(space)
    return builder


def _reference(space: Any) -> str:
    """`module:function` of the space's network builder, by which a saved model finds it again."""
    module, name = (getattr(space.network, key, "") for key in ("__module__", "__qualname__"))
    if not module or not name or "<" in name:
        raise UserError(
            "a space's network builder must be a function defined at the top of its module, but got "
            f"{space.network!r}; define it with def"
        )
    return f"{module}:{name}"


def _resolve(reference: str) -> Callable[..., nn.Module]:
    package, _, name = reference.partition(":")[0].rpartition(".")
    if package == "automl_plugins.spaces":
        plugins.load("spaces", name)
    builder: Callable[..., nn.Module] = plugins.load_attribute(reference)
    return builder
