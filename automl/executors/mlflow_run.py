"""The MLflow run of a trial as the one that mlflow's fluent functions use inside it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from automl.contracts import RunAddress


@contextmanager
def active(address: RunAddress | None) -> Iterator[None]:
    """Let code inside log to that run with `mlflow.log_metric`, `mlflow.start_run` or autologging.

    By the environment, which mlflow reads when such a function is called first: nothing is imported here,
    and child processes see it too.
    """
    if address is None:
        yield
        return
    wanted = {
        "MLFLOW_TRACKING_URI": address.tracking_uri,
        "MLFLOW_EXPERIMENT_ID": address.experiment_id,
        "MLFLOW_RUN_ID": address.run_id,
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        with suppress(Exception):  # the record of the trial corrects what MLflow has of it
            _leave()
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def _leave() -> None:
    """End the runs that are active, or the next trial of this process logs to them."""
    mlflow = sys.modules.get("mlflow")
    while mlflow is not None and mlflow.active_run() is not None:
        mlflow.end_run()
