"""What a meta-learner's folder holds: a module with `adapt(support_x, support_y)` that needs torch alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from automl import plugins
from automl.contracts import Json
from automl.export.source import Flattened
from automl.metatraining.description import LearnerDescription

if TYPE_CHECKING:
    from automl.export.winner import Winner

_MODEL = '''\
"""{title}

    from model import adapt{prepare}
    predict = adapt(support_x, support_y)    # {support}
    {use}

`weights.pt` holds what was meta-learned, `config.json` how it is used and how it was found.
"""

from __future__ import annotations

{body}


# --- loading ---
FOLDER = Path(__file__).resolve().parent


def load_learner(folder: str | Path = FOLDER) -> {learner}:
    """The meta-trained learner on the CPU."""
    described = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    name, shape, width, transductive = described["backbone"]
    backbone = Backbone(name, tuple(shape), width, transductive=transductive)
    options = {learner}.Options(**described["options"])
    learner = {learner}(options, backbone, ways=described["ways"], seed=0)
    learner.take_exported(torch.load(Path(folder) / "weights.pt", map_location="cpu", weights_only=True))
    return learner


def adapt(support_x: Tensor, support_y: Tensor, steps: int | None = None):
    """A function of inputs (n, …), made from the examples of one task; `steps` where it adapts by steps."""
    return load_learner().adapt(support_x, support_y, steps=steps)
'''
_PREPARE = '''

def prepare_images(images: Tensor, folder: str | Path = FOLDER) -> Tensor:
    """Images as the dataset has them, a tensor or an array, standardised as the training images were."""
    described = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    mean, std = (torch.tensor(described["normalisation"][key])[:, None, None] for key in ("mean", "std"))
    return (torch.as_tensor(images).float() - mean) / std
'''
NAMES = ("learner", "options", "backbone", "ways")  # of the description, in config.json
_IMPORTS = [("json", None), ("pathlib", "Path"), ("torch", None), ("torch", "Tensor")]


def contents(winner: Winner, described: Mapping[str, Any]) -> tuple[Json, str]:
    """What `config.json` says of the learner, and its module.

    Raises `UserError` when the learner needs more than torch and plain code.
    """
    description = LearnerDescription.from_json(described)
    plugin = plugins.load("learners", description.learner)
    flattened = Flattened(f"{plugin.__module__}:{plugin.__qualname__}")
    flattened.reserve("load_learner", "adapt", "prepare_images", "FOLDER")
    for module, name in _IMPORTS:
        flattened.add_import(module, name)
    module_text = _MODEL.format(
        title=f"The meta-learner {winner.name}, found by the arm {winner.certificate.arm!r}.",
        learner=plugin.__qualname__,
        body=flattened.text,
        **_words(description),
    )
    plain = description.to_json()
    images = len(description.backbone.shape) == 3
    return {name: plain[name] for name in NAMES}, module_text + (_PREPARE if images else "")


def _words(description: LearnerDescription) -> dict[str, str]:
    shape = ", ".join(map(str, description.backbone.shape))
    ways = description.ways
    if not ways:
        return {
            "prepare": "",
            "support": f"(n, {shape}) and (n,)",
            "use": f"values = predict(query_x)              # (m, {shape}) to (m,)",
        }
    return {
        "prepare": ", prepare_images",
        "support": f"(n, {shape}), prepared, and labels (n,) in 0 … {ways - 1}",
        "use": "labels = predict(query_x).argmax(1)",
    }
