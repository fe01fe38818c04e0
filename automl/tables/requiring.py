"""What a pipeline for tables needs of a task."""

from __future__ import annotations

from automl import metrics
from automl.contracts import Task, UserError


def require_table(task: Task) -> None:
    """Raise `UserError` unless the data of `task` are a table."""
    if task.kind != "table":
        classified = task.kind == "image" and task.classes > 0
        advice = "use the evaluator network" if classified else "save what describes each row as a table"
        raise UserError(f"a pipeline needs a table, but {task.name!r} is of kind {task.kind}; {advice}")


def require_predictions(names: list[str]) -> None:
    """Raise `UserError` when metrics are asked for that are not of predictions."""
    resources = [name for name in names if name in metrics.RESOURCES]
    if resources:
        raise UserError(
            f"a pipeline measures predictions, but got the metrics {', '.join(resources)}; remove them"
        )
