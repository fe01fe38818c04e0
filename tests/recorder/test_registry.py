from __future__ import annotations

from pathlib import Path

import pytest
from mlflow.artifacts import download_artifacts
from recorder_helpers import write_file

from automl.contracts import Report, RunError, UserError
from automl.ledger import Store
from automl.recorder.experiments import make_client
from automl.recorder.registry import TrainingRun, fetch_model, register_model

RUN = TrainingRun(
    identity="demo/train-1",
    metric="accuracy",
    params={"config": {"lr": 0.1}, "epochs": 8},
    values={"accuracy": 0.875},
    reports=[Report(1, 0.5, 0.1, {"loss": 0.5}), Report(2, 0.75, 0.2, {"loss": 0.25})],
    tags={"automl.campaign": "demo-1"},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_file(tmp_path / "model" / "weights.pt", "weights")
    write_file(tmp_path / "model" / "config.json", "{}")
    return tmp_path / "model"


def test_registers_and_loads_back(store: Store, folder: Path, tmp_path: Path) -> None:
    assert register_model(store, name="demo", folder=folder, run=RUN) == "1"
    client = make_client(store)
    version = client.get_model_version_by_alias("demo", "candidate")
    run = client.get_run(version.run_id)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "demo/train-1")
    assert run.data.params == {"config.lr": "0.1", "epochs": "8"}
    assert run.data.metrics == {"accuracy": 0.875, "loss": 0.25}
    back = fetch_model(store, "demo", tmp_path / "back").folder
    assert {path.name: path.read_bytes() for path in back.iterdir()} == {
        "weights.pt": b"weights",
        "config.json": b"{}",
    }


@pytest.mark.slow
def test_mlflow_itself_finds_the_files(store: Store, folder: Path, tmp_path: Path) -> None:
    register_model(store, name="demo", folder=folder, run=RUN)
    source = make_client(store).get_model_version_by_alias("demo", "candidate").source
    found = Path(
        download_artifacts(artifact_uri=source, dst_path=str(tmp_path), tracking_uri=store.tracking_uri)
    )
    assert {path.name for path in found.iterdir()} == {"weights.pt", "config.json"}


def test_the_same_training_is_registered_once(store: Store, folder: Path) -> None:
    assert [register_model(store, name="demo", folder=folder, run=RUN) for _ in range(2)] == ["1", "1"]
    other = TrainingRun("demo/train-2", "accuracy", {}, {"accuracy": 0.5})
    assert register_model(store, name="demo", folder=folder, run=other, alias="other") == "2"
    client = make_client(store)
    assert client.get_model_version_by_alias("demo", "candidate").version in ("1", 1)


def test_a_flipped_byte_is_found(store: Store, folder: Path, tmp_path: Path) -> None:
    register_model(store, name="demo", folder=folder, run=RUN)
    version = make_client(store).get_model_version_by_alias("demo", "candidate")
    path = Path(version.source.removeprefix("file://")) / "weights.pt"
    path.write_bytes(b"weightz")
    with pytest.raises(RunError, match=r"demo version 1 .* weights\.pt differ"):
        fetch_model(store, "demo", tmp_path / "back")


def test_what_python_compiles_beside_it_changes_nothing_and_is_not_fetched(
    store: Store, folder: Path, tmp_path: Path
) -> None:
    """Whoever loads a version where it lies makes such files; they would be run in place of the source."""
    write_file(folder / "__pycache__" / "own.pyc", "made before")
    register_model(store, name="demo", folder=folder, run=RUN)
    version = make_client(store).get_model_version_by_alias("demo", "candidate")
    write_file(Path(version.source.removeprefix("file://")) / "code" / "__pycache__" / "model.pyc", "made")
    back = fetch_model(store, "demo", tmp_path / "back").folder
    assert {path.name for path in back.rglob("*") if path.is_file()} == {"weights.pt", "config.json"}


def test_wrong_names(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="demo@candidate is not"):
        fetch_model(store, "demo", tmp_path / "back")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="has none; train it first"):
        register_model(store, name="demo", folder=tmp_path / "empty", run=RUN)
