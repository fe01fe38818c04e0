"""What a training becomes in MLflow: a run, a version of the model, and the alias `candidate`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from automl.contracts import Direction, Job, Outcome, Report
from automl.export.packaged import package
from automl.export.signing import sign_text
from automl.provenance import collect
from automl.storage import prepare

if TYPE_CHECKING:
    from automl.export.winner import Winner
    from automl.ledger.store import Store


def register(store: Store, winner: Winner, job: Job, done: tuple[Outcome, Sequence[Report]]) -> str:
    """Record a training and register its model; its version. No alias is moved."""
    from automl.recorder.registry import TrainingRun, register_model  # importing mlflow takes a second

    outcome, reports = done
    certificate = winner.certificate
    names = [metric.name for metric in winner.task.metrics]
    run = TrainingRun(
        identity=job.trial,
        metric=certificate.metric,
        params={"config": job.config, "training": job.evaluator.options, "seed": job.seed},
        values={**outcome.metrics, **dict(zip(names, outcome.values or [], strict=True))},
        reports=reports,
        tags={
            "automl.campaign": certificate.campaign,
            "automl.arm": certificate.arm,
            "automl.trial": certificate.trial,
            "automl.certificate": winner.checksum,
            "automl.data": f"{certificate.data or ''}{' with validation' if certificate.refit else ''}",
            "automl.device": outcome.device,
            "automl.provenance": json.dumps(collect(Path(__file__).parent).to_json()),
        },
    )
    prepare(store)
    folder = Path(job.workdir) / "registered"
    shutil.rmtree(folder, ignore_errors=True)
    package(winner, Path(job.workdir) / "model", folder, trial=job.trial)
    return register_model(
        store, name=winner.name, folder=folder, run=run, sign=lambda text: sign_text(text, store), alias=None
    )


def make_candidate(store: Store, winner: Winner, version: str) -> str:
    """Give a version the alias `candidate`, and say after which one, and whether that is better."""
    from automl.recorder.candidate import move_candidate  # importing mlflow takes a second

    certificate = winner.certificate
    return move_candidate(store, winner.name, version, certificate.metric, Direction(certificate.direction))
