"""Check that a space's network survives being saved, and exported as a folder that needs torch alone."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch.nn import functional

from automl.checking.tasks import image_task
from automl.contracts import Config, Context, Task
from automl.export.source import Flattened
from automl.space import Space
from automl.training import saved
from automl.training.recipe import NetworkOptions

ROWS = 6
IMPORT = re.compile(r"^(?:import|from) (\w+)", re.MULTILINE)
TOLERANCE = 1e-5  # another memory layout may round differently


@dataclass
class _Saving:
    """The part of a `Context` that saving a network asks for."""

    workdir: Path
    task: Task
    space: Space


def saved_and_exported(space: Space, config: Config) -> None:
    """After one step of SGD, the logits are those of the saved network and of the exported one."""
    task = image_task(ROWS)
    builder = saved.builder_of(space)
    network = builder(config, task.shape, task.classes, channels=2, cells=3)
    x, y = torch.from_numpy(task.train.x), torch.from_numpy(task.train.y)
    torch.autograd.backward(functional.cross_entropy(network(x), y))
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    reference = f"{builder.__module__}:{builder.__qualname__}"
    with tempfile.TemporaryDirectory() as folder:
        context = cast(Context, _Saving(Path(folder), task, space))
        saved.save_network(
            network, config, context, NetworkOptions.model_validate({"channels": 2, "cells": 3})
        )
        loaded = saved.load_network(Path(folder) / "model")
    exported = _exported(reference, builder.__qualname__)(
        config, task.shape, task.classes, channels=2, cells=3
    )
    exported.load_state_dict(network.state_dict())
    logits = []
    for module in (network, loaded, exported):
        torch.manual_seed(0)  # for noise, where it is an operation
        logits.append(module.eval()(x))
    for kind, other in zip(("saved", "exported"), logits[1:], strict=True):
        same = torch.allclose(logits[0], other, atol=TOLERANCE)
        assert same, f"the {kind} network must give the same logits, but differs by {other - logits[0]}"


def _exported(reference: str, name: str) -> Any:
    flat = Flattened(reference)
    tops = set(IMPORT.findall(flat.text))
    assert "automl" not in tops, f"an exported network must import torch and Python's library, but: {tops}"
    scope: dict[str, Any] = {"__name__": "model"}
    exec(f"from __future__ import annotations\n{flat.text}", scope)
    return scope[name]
