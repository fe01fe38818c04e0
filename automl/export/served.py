"""Makes a model's folder one that runs by itself, and one that `mlflow.pyfunc` loads, without pickles.

Networks and learners get `model.py`, which needs torch alone. An objective of one's own may leave such a
file, with a function `load_model(folder)` that returns a callable, or a whole model of MLflow (`MLmodel`).
"""

from __future__ import annotations

import json
import platform
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from automl import plugins
from automl.checkpoints import write_atomically
from automl.contracts import UserError
from automl.export import table_folder, table_signature
from automl.export.torch_folder import plain_files
from automl.tables import saved
from automl.tables.conformal import CALIBRATED

if TYPE_CHECKING:
    from automl.export.winner import Winner

_LOADER: Final = "automl_served"


def serve(folder: Path, winner: Winner, trial: str) -> str:
    """Add what the model in `folder`, which the training `trial` has left, needs to be loaded.

    Returns why `mlflow.pyfunc` cannot load it; empty when it can. The file says the same to whoever tries.
    """
    if (folder / "MLmodel").is_file():
        return ""
    kind, why = _kind(folder, winner, trial)
    loader = resources.files("automl.export").joinpath(f"{_LOADER}.txt").read_text(encoding="utf-8")
    (folder / "code").mkdir(exist_ok=True)
    write_atomically(folder / "code" / f"{_LOADER}.py", loader.encode())
    write_atomically(folder / "served.json", json.dumps({"kind": kind, "why": why}, indent=1).encode())
    write_atomically(folder / "MLmodel", yaml.safe_dump(_mlmodel(folder), sort_keys=False).encode())
    return why


def _mlmodel(folder: Path) -> dict[str, Any]:
    """What MLflow reads first; of a fitted table with a signature, an example and its environment."""
    flavor: dict[str, Any] = {
        "code": "code",
        "loader_module": _LOADER,
        "python_version": platform.python_version(),
    }
    if not (folder / saved.FITTED).is_file():
        return {"flavors": {"python_function": flavor}}
    described = saved.read_described(folder)
    example, environment = table_signature.example(described), table_signature.environment(saved.REQUIREMENTS)
    write_atomically(folder / table_signature.EXAMPLE, example.encode())
    write_atomically(folder / table_signature.ENVIRONMENT, environment.encode())
    flavor["env"] = {"virtualenv": table_signature.ENVIRONMENT}
    signature = table_signature.described_for_mlflow(described, (folder / CALIBRATED).is_file())
    return {"flavors": {"python_function": flavor}, **signature}


def _kind(folder: Path, winner: Winner, trial: str) -> tuple[str, str]:
    """How the model is used: network, learner or own; "none", and why, for one that nothing can load."""
    leaves = plugins.load("evaluators", winner.training.name).leaves
    if leaves == "table":
        if not (folder / saved.FITTED).is_file():
            return (
                "none",
                "an earlier version trained it, which kept no fitted pipeline; train it again",
            )
        write_atomically(folder / "model.py", table_folder.module(winner).encode())
        return "own", ""
    if leaves is not None:
        try:
            config, module = plain_files(folder, winner, trial=trial)
        except UserError as error:
            return "none", str(error)
        write_atomically(folder / "config.json", json.dumps(config, indent=1, ensure_ascii=False).encode())
        write_atomically(folder / "model.py", module.encode())
        return leaves, ""
    if (folder / "model.py").is_file():
        return "own", ""
    return "none", (
        f"the model that {winner.training.name!r} leaves has no model.py with load_model(folder), and no "
        "MLmodel of MLflow: it is scored by its evaluator alone"
    )
