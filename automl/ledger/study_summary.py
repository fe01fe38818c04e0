"""What records and reports need of a campaign's resolved study, read from its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from automl.contracts import Direction, Metric, RunError

FIXED: Final = ("name", "task", "space", "evaluator", "trial", "retry", "arms")  # while a campaign grows


@dataclass(frozen=True)
class ArmSummary:
    """The names of an arm's plug-ins; empty where it has none of a kind."""

    strategy: str = ""
    pruner: str = ""
    evaluator: str = ""
    reference: str = ""


@dataclass(frozen=True)
class StudySummary:
    """The study of a campaign by names. `record`: what gets a run in MLflow, `trials` or `searches`."""

    metrics: tuple[Metric, ...]  # the primary one first
    arms: dict[str, ArmSummary]
    dataset: str | None
    executor: str
    record: str

    @property
    def primary(self) -> Metric:
        """The metric that arms are compared by. Raises `RunError` when the ledger's study has none."""
        if not self.metrics:
            raise RunError(
                "the ledger is damaged: spec of a campaign must have a metric, but has none; "
                "restore a backup (mlflow/restore.sh)"
            )
        return self.metrics[0]

    @classmethod
    def from_json(cls, spec: Mapping[str, Any]) -> StudySummary:
        """The summary of what `Study.to_json` wrote."""
        task = spec.get("task") or {}
        evaluator = spec.get("evaluator")
        return cls(
            metrics=tuple(
                Metric(entry["name"], Direction(entry["direction"])) for entry in task.get("metrics", ())
            ),
            arms={name: _arm(arm or {}, evaluator) for name, arm in spec.get("arms", {}).items()},
            dataset=task.get("dataset"),
            executor=_name(spec.get("executor")),
            record=spec.get("record", "trials"),
        )


def _arm(arm: Mapping[str, object], evaluator: object) -> ArmSummary:
    return ArmSummary(
        strategy=_name(arm.get("strategy")),
        pruner=_name(arm.get("pruner")),
        evaluator=_name(arm.get("evaluator") or evaluator),
        reference=str(arm.get("reference") or ""),
    )


def _name(plugin: object) -> str:
    return str((plugin.get("name") if isinstance(plugin, Mapping) else plugin) or "")
