"""What MLflow wants to know of a table model: its columns, a row as an example, the environment it needs."""

from __future__ import annotations

import json
import platform
from datetime import datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import yaml

from automl.data.reading.dates import ISO

if TYPE_CHECKING:
    from automl.contracts import ReadColumn
    from automl.tables.saved import Described

EXAMPLE: Final = "input_example.json"
ENVIRONMENT: Final = "python_env.yaml"
_DAY = datetime(2024, 1, 31, 12, 30)


def described_for_mlflow(described: Described, intervals: bool = False) -> dict[str, Any]:
    """The keys of an `MLmodel` file that a table model has besides those of every model.

    Inputs are of type `any`: rows are checked as they are read, which takes numbers as texts too; MLflow's
    `double` refuses whole numbers. `intervals`: it takes the parameter `interval`, a level, by default none.
    """
    inputs = [_column(one.name, "any") for one in described.reading.columns]
    outputs = [_column("prediction", "string" if described.labels else "double")]
    outputs += [_column(f"probability_{label}", "double") for label in described.labels]
    parameter = {"name": "interval", "type": "double", "default": None, "shape": None}
    params = json.dumps([parameter]) if intervals else None
    more = {"set": "string"} if described.labels else {"lower": "double", "upper": "double"}
    outputs += [_column(name, kind, required=False) for name, kind in more.items() if intervals]
    return {
        "signature": {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": params},
        "saved_input_example_info": {
            "artifact_path": EXAMPLE,
            "pandas_orient": "split",
            "type": "dataframe",
        },
    }


def example(described: Described) -> str:
    """A row that nobody has, in the form of the training rows, for `EXAMPLE`: no data leave with it."""
    columns = described.reading.columns
    row = {"columns": [one.name for one in columns], "data": [[_cell(one) for one in columns]]}
    return json.dumps(row, ensure_ascii=False)


def environment(requirements: str) -> str:
    """What `ENVIRONMENT` holds: this Python, MLflow, and the file of `requirements` beside it."""
    needed = [f"mlflow=={version('mlflow')}", f"-r {requirements}"]
    found = {"python": platform.python_version(), "build_dependencies": ["pip"], "dependencies": needed}
    return yaml.safe_dump(found, sort_keys=False)


def _column(name: str, kind: str, *, required: bool = True) -> dict[str, Any]:
    return {"type": kind, "name": name, "required": required}


def _cell(column: ReadColumn) -> object:
    if column.kind == "number":
        return 1.0
    if column.kind == "date":
        return _DAY.date().isoformat() if column.format == ISO else _DAY.strftime(column.format)
    usual = {"time": "12:30", "url": "https://example.org/"}.get(column.kind, "text")
    return column.known[0] if column.known else usual
