"""`automl train`: the model that is registered gives the accuracy that was reported, to the last digit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mlflow import MlflowClient

from automl import plugins
from automl.contracts import RunError, UserError
from automl.data import load_task
from automl.export import export_config
from automl.export.registered import fetch_signed
from automl.export.retraining import Training, train, train_seeds
from automl.export.signing import Maker
from automl.export.winner import read_winner, write_winner
from automl.ledger import Ledger, retrainings
from automl.training.saved import load_network

CPU = Training(device="cpu")


@pytest.fixture
def best(finished: Any, finished_ledger: Ledger, tmp_path: Path) -> Path:
    path = tmp_path / "best.yaml"
    export_config(finished_ledger, finished.campaign, path, store=finished.store, arm="resnet")
    return path


@pytest.mark.slow
def test_the_registered_model_scores_the_same_to_the_last_digit(
    finished: Any, best: Path, tmp_path: Path
) -> None:
    said: list[str] = []
    done = train(best, finished.store, Training(epochs=3, device="cpu"), message=said.append)
    assert len([line for line in said if line.startswith("step")]) == 3
    winner = read_winner(best)
    folder, maker = fetch_signed(finished.store, done.name, tmp_path / "fetched")
    assert maker is Maker.THIS_STORE
    task = load_task(winner.task.model_dump(mode="json"), winner.import_path)
    evaluator = plugins.build("evaluators", winner.training)
    assert evaluator.score(folder, task, task.validation, winner.task.metrics) == done.values
    client = MlflowClient(finished.store.tracking_uri, finished.store.tracking_uri)
    version = client.get_model_version_by_alias("tiny", "candidate")
    run = client.get_run(version.run_id)
    assert (str(version.version), run.data.metrics["accuracy"]) == (done.version, done.values["accuracy"])
    assert len(client.get_metric_history(version.run_id, "train_loss")) >= 3
    assert run.data.tags["automl.certificate"] == winner.checksum


def test_the_same_command_again_changes_nothing(finished: Any, best: Path) -> None:
    first, second = (train(best, finished.store, CPU) for _ in range(2))
    assert (first.values, first.version, first.folder) == (second.values, second.version, second.folder)


def test_seed_and_epochs_are_trainings_of_their_own(finished: Any, best: Path) -> None:
    folders = {train(best, finished.store, Training(seed=seed, device="cpu")).folder for seed in (0, 1)}
    assert len(folders) == 2
    first, second = (load_network(folder).state_dict() for folder in folders)
    assert not all(torch.equal(first[key], second[key]) for key in first)


def test_an_interrupted_training_goes_on_and_ends_the_same(
    finished: Any, best: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(best, finished.store, Training(epochs=4, seed=5, device="cpu"))
    whole = load_network(expected.folder).state_dict()
    checkpoints = sorted((expected.folder.parent / "checkpoints").iterdir())
    for path in checkpoints:
        if "00000004" in path.name:
            path.unlink()
    (expected.folder / "weights.pt").unlink()
    said: list[str] = []
    again = train(best, finished.store, Training(epochs=4, seed=5, device="cpu"), message=said.append)
    assert len([line for line in said if line.startswith("step")]) == 1  # from the third epoch's checkpoint
    resumed = load_network(again.folder).state_dict()
    assert all(torch.equal(whole[key], resumed[key]) for key in whole)


def test_other_data_are_refused(finished: Any, best: Path) -> None:
    winner = read_winner(best)
    certificate = winner.certificate.model_copy(update={"data": "0" * 64})
    write_winner(winner.model_copy(update={"certificate": certificate}), best)
    with pytest.raises(UserError, match=r"must be those the winner was found on .*run the study again"):
        train(best, finished.store, CPU, trust=True)


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (Training(epochs=0, device="cpu"), "--epochs must be at least 1, but got 0"),
        (Training(device="tpu"), "--device must be one this machine has, but got 'tpu'; known: cpu"),
    ],
)
def test_wrong_options_are_refused(finished: Any, best: Path, training: Training, message: str) -> None:
    with pytest.raises(UserError, match=message):
        train(best, finished.store, training)


def test_a_failure_says_what_failed_and_registers_nothing(
    finished: Any, best: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("no gradient")

    client = MlflowClient(finished.store.tracking_uri, finished.store.tracking_uri)
    before = len(client.search_model_versions())
    monkeypatch.setattr("automl.training.procedure.train_network", broken)
    with pytest.raises(
        RunError, match="training tiny failed: ValueError: no gradient; nothing was registered"
    ):
        train(best, finished.store, Training(seed=9, device="cpu"))
    assert len(client.search_model_versions()) == before


@pytest.mark.slow
def test_the_recorded_seeds_give_the_exported_models_again(
    finished: Any, best: Path, finished_ledger: Ledger
) -> None:
    winner = read_winner(best)
    known = winner.certificate.retrainings
    assert known is not None and known.model and len(known.seeds) == 2
    said: list[str] = []
    done = train_seeds(best, finished.store, 3, CPU, message=said.append)
    assert [one.seed for one in done[:2]] == known.seeds and done[2].seed not in known.seeds
    assert [one.values["accuracy"] for one in done[:2]] == winner.certificate.values.fresh
    assert [one.exported for one in done] == [*winner.certificate.values.fresh, None]
    for trial, one in zip(
        retrainings(winner.trained, finished_ledger.trials(search=winner.certificate.search)),
        done,
        strict=False,
    ):
        ours, theirs = (
            load_network(folder).state_dict() for folder in (Path(str(trial.workdir)) / "model", one.folder)
        )
        assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert any("seed" in line and "which the campaign has not used" in line for line in said)
    alone = train(best, finished.store, CPU, message=said.append)
    assert alone.values["accuracy"] == max(winner.certificate.values.fresh)
    assert said[-1].startswith("candidate")


def test_a_candidate_that_is_worse_is_told(finished: Any, best: Path) -> None:
    said: list[str] = []
    train(best, finished.store, Training(epochs=3, device="cpu"), message=said.append)
    train(best, finished.store, Training(epochs=1, seed=3, device="cpu"), message=said.append)
    moved = [line for line in said if line.startswith("candidate is version")]
    assert "after version" in moved[-1] and "accuracy" in moved[-1] and "on validation data" in moved[-1]


def test_what_left_no_model_is_refused_before_it_is_trained(finished: Any, best: Path) -> None:
    winner = read_winner(best)
    known = winner.certificate.retrainings
    assert known is not None
    without = winner.certificate.model_copy(update={"retrainings": known.model_copy(update={"model": False})})
    write_winner(winner.model_copy(update={"certificate": without}), best)
    said: list[str] = []
    with pytest.raises(UserError, match="the 2 retrainings of tiny-1 by 'network' left none"):
        train(best, finished.store, CPU, message=said.append, trust=True)
    assert not said
