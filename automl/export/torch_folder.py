"""A trained network as a folder that needs torch alone: `model.py`, `weights.pt`, `config.json`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from automl import plugins
from automl.checkpoints import write_atomically
from automl.contracts import Json, UserError
from automl.data.inputs import class_names, normalisation
from automl.export import learner_folder
from automl.export.certificate import find_winner
from automl.export.known import model_of, needed_retraining
from automl.export.source import Flattened

if TYPE_CHECKING:
    from automl.export.winner import Winner
    from automl.ledger.ledger import Ledger

FORMAT = 1
_MODEL = '''\
"""{title}

    from model import load_model, prepare_images
    model = load_model()
    classes = model(prepare_images(images)).argmax(1)    # images: (n, {shape}), as in the dataset

`weights.pt` is a plain state dict; `config.json` says how the network is built, what its inputs were
standardised by, what its classes mean, and how it was found.
"""

from __future__ import annotations

{body}


# --- loading ---
FOLDER = Path(__file__).resolve().parent


def load_model(folder: str | Path = FOLDER) -> nn.Module:
    """The trained network in evaluation mode, on the CPU: images (n, {shape}) to logits (n, {classes})."""
    described = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    model = {builder}(
        described["config"],
        tuple(described["shape"]),
        described["classes"],
        channels=described["channels"],
        cells=described["cells"],
    )
    model.load_state_dict(torch.load(Path(folder) / "weights.pt", map_location="cpu", weights_only=True))
    return model.to(memory_format=torch.channels_last).eval()


def prepare_images(images: Tensor, folder: str | Path = FOLDER) -> Tensor:
    """Images as the dataset has them, a tensor or an array, standardised as the training images were."""
    described = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    mean, std = (torch.tensor(described["normalisation"][key])[:, None, None] for key in ("mean", "std"))
    return (torch.as_tensor(images).float() - mean) / std
'''
_IMPORTS = [("json", None), ("pathlib", "Path"), ("torch", None), ("torch", "Tensor"), ("torch", "nn")]


def export_torch(ledger: Ledger, campaign_id: str, output: Path, *, arm: str | None = None) -> Winner:
    """Write the network of the campaign's winner to the folder `output`.

    Of its fresh-seed retrainings it is the one that is best on validation data. Raises `UserError`
    when there is no such network.
    """
    winner = find_winner(ledger, campaign_id, arm)
    otherwise = ", or export best.yaml and run `automl train`"
    best = needed_retraining(ledger, winner, "a network must have been retrained to be exported", otherwise)
    with model_of(best) as model:
        write_torch(model, output, winner, trial=best.id)
    return winner


def write_torch(model: Path, output: Path, winner: Winner, *, trial: str) -> None:
    """Write the folder `output` for the network or learner that a `final` evaluation left in `model`."""
    config, module = plain_files(model, winner, trial=trial)
    _write(output, model / "weights.pt", config, module)


def plain_files(model: Path, winner: Winner, *, trial: str) -> tuple[Json, str]:
    """`config.json` and `model.py` of the network or learner that a `final` evaluation left in `model`.

    The configuration has all that the folder's own had, so that evaluators read it too. Raises `UserError`
    for another model, or one that needs more than torch and plain code.
    """
    leaves = plugins.load("evaluators", winner.training.name).leaves
    if leaves not in ("network", "learner"):
        raise UserError(
            f"--format torch needs a network or a meta-learner, but the winner is made by "
            f"{winner.training.name!r}; export best.yaml instead"
        )
    described = _described(model)
    found, module = (_network if leaves == "network" else learner_folder.contents)(winner, described)
    config = {
        **described,
        "format": FORMAT,
        "name": winner.name,
        "config": described["config"],
        **found,
        "normalisation": normalisation(winner.task.model_dump(mode="json"), winner.import_path),
        "trial": trial,
        "certificate": winner.certificate.model_dump(mode="json"),
        "provenance": winner.provenance,
    }
    return config, module


def _network(winner: Winner, described: Mapping[str, Any]) -> tuple[Json, str]:
    """What `config.json` says of a network, and its module."""
    config = {
        "shape": described["shape"],
        "classes": described["classes"],
        "channels": described["options"]["channels"],
        "cells": described["options"]["cells"],
        "class_names": class_names(winner.task.model_dump(mode="json"), winner.import_path),
    }
    return config, _module(winner, described)


def _described(model: Path) -> Mapping[str, Any]:
    """How a saved network is built; what is missing of its folder is noticed before anything is written."""
    try:
        described: Mapping[str, Any] = json.loads((model / "config.json").read_text(encoding="utf-8"))
        (model / "weights.pt").stat()
    except (OSError, ValueError) as error:
        raise UserError(
            f"the trained network must be in {model}, but: {error}; export it where it was trained, or train "
            "it again: automl export NAME -o best.yaml, automl train best.yaml"
        ) from error
    return described


def _module(winner: Winner, described: Mapping[str, Any]) -> str:
    flattened = Flattened(described["builder"])
    flattened.reserve("load_model", "prepare_images", "FOLDER")
    for module, name in _IMPORTS:
        flattened.add_import(module, name)
    shape: Sequence[int] = described["shape"]
    return _MODEL.format(
        title=f"The network {winner.name}, found by the arm {winner.certificate.arm!r}.",
        shape=", ".join(map(str, shape)),
        classes=described["classes"],
        builder=flattened.reference.partition(":")[2],
        body=flattened.text,
    )


def _write(output: Path, weights: Path, config: Mapping[str, Any], module: str) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(weights, output / "weights.pt")
        write_atomically(output / "config.json", json.dumps(config, indent=1, ensure_ascii=False).encode())
        write_atomically(output / "model.py", module.encode())
    except OSError as error:
        raise UserError(f"{output}: must be a folder that can be written, but: {error}") from error
