"""What the direct writer leaves is, read through MlflowClient, what `log_batch` leaves.

Passing here puts a version of MLflow into `mlflow_marker.VERIFIED`.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import ViewType
from recorder_helpers import Filled, write_file

from automl.contracts import TrialState
from automl.ledger import Ledger, Store
from automl.recorder.client import ClientWriter
from automl.recorder.direct import DirectWriter
from automl.recorder.experiments import Experiment, make_client
from automl.recorder.mlflow_marker import VERIFIED
from automl.recorder.points import Point
from automl.recorder.projection import Projection
from automl.recorder.uploads import Staging
from automl.recorder.wanted_run import Artifact, WantedRun
from automl.recorder.writer import Writer

START = 1_700_000_000_000
ODD = [
    Point("accuracy", 0.25, START + 10, 1),
    Point("accuracy", 0.5, START + 20, 2),
    Point("accuracy", 0.5, START + 20, 2),  # twice the same
    Point("accuracy", 0.375, START + 20, 2),  # another value at the same step and time
    Point("back", 1.0, START + 30, 5),
    Point("back", 2.0, START + 40, 3),  # later, but of an earlier step
    Point("nan", math.nan, START, 0),
    Point("nan then", math.nan, START, 0),
    Point("nan then", -1.0, START, 0),  # NaN counts as 0 when values are compared
    Point("up", math.inf, START, 0),
    Point("down", -math.inf, START, 0),
    Point("tiny", 5e-324, START, 0),
    Point("third", 1 / 3, START, 0),
    Point("über/größe", -0.0, START, -4),
    Point("whole", 3, START, 0),
]


def odd_images() -> list[WantedRun]:
    """Runs at the edges of what MLflow takes, with a parent first."""
    parent = WantedRun(
        identity="demo-1",
        parent=None,
        status="RUNNING",
        start=START,
        end=None,
        params={},
        tags={
            "automl.id": "demo-1",
            "automl.campaign": "demo-1",
            "mlflow.user": "ada",
            "mlflow.runName": "π",
        },
        metrics=[],
        dataset=("digits", "d" * 64),
        uid="0" * 32,
        name="π",
    )
    images = [parent]
    for number, status in enumerate(("FINISHED", "FAILED", "KILLED", "SCHEDULED", "RUNNING")):
        many = [Point("loss", 1 / step, START + step, step) for step in range(1, 1500)]
        identity = f"demo-1/tpe/0/{number}"
        images.append(
            WantedRun(
                identity=identity,
                parent=parent.uid,
                status=status,
                start=START + number,
                end=START + 100 + number if status in ("FINISHED", "FAILED", "KILLED") else None,
                params={f"p{index}": "v" * index for index in range(1, 130)}
                | {"é": "\N{SNOWMAN}\n'\";", "long": "x" * 6000},
                tags={
                    "automl.id": identity,
                    "automl.campaign": "demo-1",
                    "mlflow.runName": identity,
                    "t": "y" * 8000,
                },
                metrics=[*ODD, Point("accuracy", number / 7, START + 50, 9), *(many if number == 0 else [])],
                uid=f"{number + 1:032x}",
                name=identity,
            )
        )
    return images


def ledger_images(filled: Filled) -> list[WantedRun]:
    """Runs as a campaign leaves them."""
    for number in range(3):
        filled.trial(number, 0.5 + number / 10, metrics={"loss": 0.25, "epochs": 3.0})
    bad = filled.start(3)
    filled.report(bad, 0.1)
    filled.end(bad, None, TrialState.FAILED, reason="ValueError: é", traceback="Traceback…")
    pruned = filled.start(4)
    filled.report(pruned, 0.1, 0.2)
    filled.end(pruned, None, TrialState.PRUNED, reason="pruned")
    filled.report(filled.start(5), 0.3)
    filled.finish()
    ledger = filled.ledger
    campaign, searches = ledger.campaign(filled.id), ledger.searches(filled.id)
    assert campaign is not None
    projection = Projection(campaign, searches)
    trials, reports = ledger.trials(campaign=filled.id), ledger.reports(campaign=filled.id)
    return [
        projection.campaign_run(trials),
        *(projection.search_run(row, [t for t in trials if t.search == row.id]) for row in searches),
        *(projection.trial_run(trial, reports.get(trial.id, [])) for trial in trials),
    ]


def experiment(client: MlflowClient, store: Store, name: str) -> Experiment:
    location = Path(store.artifacts, name).as_uri()
    identity = client.create_experiment(name, artifact_location=location)
    return Experiment(identity, client.get_experiment(identity).artifact_location)


def everything(client: MlflowClient, where: Experiment, names: dict[str, str]) -> dict[str, Any]:
    """All that MlflowClient says about the runs of an experiment, with run ids replaced by identities."""
    found = {}
    for run in client.search_runs([where.id], run_view_type=ViewType.ALL):
        alone = client.get_run(run.info.run_id).data
        assert repr(sorted(alone.metrics.items())) == repr(sorted(run.data.metrics.items()))
        assert (alone.params, alone.tags) == (run.data.params, run.data.tags)
        name = names[run.info.run_id] = run.data.tags["automl.id"]
        info = dict(run.info)
        del info["experiment_id"]
        info["run_id"] = info["run_uuid"] = name
        info["artifact_uri"] = (
            info["artifact_uri"].removeprefix(where.location).replace(run.info.run_id, name)
        )
        history = {
            key: [
                (point.value, point.timestamp, point.step)
                for point in sorted(
                    client.get_metric_history(run.info.run_id, key),
                    key=lambda p: (p.step, p.timestamp, p.value),
                )
            ]
            for key in sorted(run.data.metrics)
        }
        inputs = [
            (i.dataset.to_dictionary(), [(t.key, t.value) for t in i.tags]) for i in run.inputs.dataset_inputs
        ]
        found[name] = {
            "info": info,
            "params": sorted(run.data.params.items()),
            "tags": run.data.tags,
            "latest": dict(sorted(run.data.metrics.items())),
            "history": history,
            "inputs": inputs,
        }
    for run in found.values():
        parent = run["tags"].get("mlflow.parentRunId")
        if parent is not None:
            run["tags"]["mlflow.parentRunId"] = names[parent]
        run["tags"] = sorted(run["tags"].items())
    return dict(sorted(found.items()))


def both(store: Store, campaign: Any) -> tuple[MlflowClient, list[tuple[Writer, Experiment]]]:
    client = make_client(store)
    first, second = (experiment(client, store, name) for name in ("direct", "client"))
    staging = Staging(store.folder / "staging")
    direct = DirectWriter(client, first, campaign, store.tracking_uri, staging)
    return client, [(direct, first), (ClientWriter(client, second, campaign, staging), second)]


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("source", [ledger_images, lambda filled: odd_images()], ids=["campaign", "odd"])
def test_same_as_log_batch(any_store: Store, any_ledger: Ledger, source: Any, times: int) -> None:
    filled = Filled(any_store, any_ledger)
    images = source(filled)
    client, writers = both(any_store, filled.campaign)
    seen = []
    for writer, where in writers:
        for _ in range(times):
            writer.write(images)
        seen.append(everything(client, where, {}))
        writer.close()
    assert len(seen[0]) == len(images)
    assert repr(seen[0]) == repr(seen[1])  # repr: NaN differs from itself


def test_same_when_appended(store: Store, ledger: Ledger) -> None:
    filled = Filled(store, ledger)
    images = odd_images()
    client, writers = both(store, filled.campaign)
    seen = []
    for writer, where in writers:
        writer.write(images)
        writer.append(
            {
                images[5].uid: [Point("accuracy", 0.1, START + 90, 10), Point("new", 1.0, START, 0)],
                "f" * 32: ODD,
            }
        )
        seen.append(everything(client, where, {}))
        writer.close()
    assert seen[0]["demo-1/tpe/0/4"]["latest"]["accuracy"] == 0.1
    assert repr(seen[0]) == repr(seen[1])


@pytest.mark.slow
def test_same_order_by_metric(store: Store, ledger: Ledger) -> None:
    filled = Filled(store, ledger)
    client, writers = both(store, filled.campaign)
    orders = []
    for writer, where in writers:
        writer.write(odd_images())
        for order in ("metrics.accuracy DESC", "metrics.nan ASC", "params.p3 DESC", "tags.`automl.id` ASC"):
            runs = client.search_runs([where.id], "metrics.third > 0.3", order_by=[order])
            orders.append([run.data.tags["automl.id"] for run in runs])
        writer.close()
    assert orders[:4] == orders[4:]
    assert orders[0][0] == "demo-1/tpe/0/4"


def test_same_artifacts(store: Store, ledger: Ledger, tmp_path: Path) -> None:
    filled = Filled(store, ledger)
    write_file(tmp_path / "model" / "config.json", "{}")
    files = [
        Artifact("traceback.txt", text="é"),
        Artifact("plots/cell.svg", path=write_file(tmp_path / "other.svg", "<svg/>")),
        Artifact("model", path=tmp_path / "model"),
        Artifact("gone.txt", path=tmp_path / "gone.txt"),
    ]
    client, writers = both(store, filled.campaign)
    for writer, where in writers:
        image = odd_images()[0]
        writer.write([image])
        writer.upload(image.uid, files)
        writer.upload(image.uid, files)
        (run,) = client.search_runs([where.id])
        assert {file.path for file in client.list_artifacts(run.info.run_id)} == {
            "traceback.txt",
            "plots",
            "model",
        }
        assert (
            Path(client.download_artifacts(run.info.run_id, "traceback.txt")).read_text(encoding="utf-8")
            == "é"
        )
        assert [file.path for file in client.list_artifacts(run.info.run_id, "plots")] == ["plots/cell.svg"]
        writer.close()


def test_this_version_is_verified() -> None:
    assert mlflow.__version__ in VERIFIED
