"""The artifacts of a supernet search: its genotype, its strengths and its health, as JSON files."""

from __future__ import annotations

import json

from automl.contracts import Context
from automl.oneshot.result import EpochRecord, SupernetResult


def write_artifacts(result: SupernetResult, context: Context) -> None:
    """Write the genotype, the strengths after each epoch, and all other records of the search."""
    named = {"edges": result.edges, "operations": result.operations}
    strengths = [{"epoch": record.epoch, "strengths": _strengths(record)} for record in result.history]
    everything = result.to_json()
    health = {key: everything[key] for key in ("verdict", "selected", "rank")} | {
        "epochs": [
            {key: value for key, value in record.items() if key != "strengths"}
            for record in everything["history"]
        ]
    }
    files = {"genotype": result.genotype, "strengths": {**named, "epochs": strengths}, "health": health}
    for name, data in files.items():
        context.artifact(f"{name}.json").write_text(json.dumps(data, indent=1), encoding="utf-8")


def _strengths(record: EpochRecord) -> list[list[float]]:
    return record.architecture.strengths if record.architecture else []
