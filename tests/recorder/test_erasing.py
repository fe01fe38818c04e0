"""What MLflow has of a campaign is deleted, renamed, and cleared away; what others have stays."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa
from mlflow.entities import ViewType
from recorder_helpers import Filled, recording, runs, write_file

from automl.contracts import UserError
from automl.ledger import Ledger, owner_identity
from automl.recorder.erasing import erase_campaign
from automl.recorder.experiments import make_client
from automl.recorder.registry import TrainingRun, register_model
from automl.upkeep import deleting, leftovers, renaming


def recorded(filled: Filled, trials: int = 3) -> None:
    """A finished campaign that MLflow has."""
    for number in range(trials):
        filled.trial(number, 0.5 + number / 10)
    filled.finish()
    with recording(filled) as recorder:
        recorder.drain()
    filled.ledger.release(filled.id, filled.token)


def rows(filled: Filled, table: str) -> int:
    engine = sa.create_engine(filled.store.tracking_uri)
    with engine.connect() as connection:
        count = connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))
    engine.dispose()
    return int(count or 0)


def files(filled: Filled) -> list[Path]:
    return [path for path in Path(filled.store.artifacts).rglob("*") if path.is_file()]


@pytest.mark.parametrize("before", ["there", "in the trash", "never recorded"])
def test_a_campaign_is_deleted_with_all_that_mlflow_has_of_it(filled: Filled, before: str) -> None:
    if before == "never recorded":
        filled.trial(0)
        filled.ledger.release(filled.id, filled.token)
    else:
        recorded(filled)
    if before == "in the trash":
        client = make_client(filled.store)
        for run in runs(filled).values():
            client.delete_run(run.info.run_id)
    row = filled.ledger.campaign(filled.id)
    assert row is not None
    folder = write_file(deleting.work_folder(filled.store, filled.id) / "random-0/0/note", "text").parents[2]
    gone = deleting.delete(filled.store, filled.ledger, row)
    assert (gone.runs > 0) == (before != "never recorded") and not gone.in_trash and gone.bytes == 4
    for table in ("runs", "tags", "params", "metrics", "latest_metrics"):
        assert rows(filled, table) == 0, table
    assert files(filled) == [] and not folder.exists()
    assert filled.ledger.campaigns() == [] and filled.ledger.dangling() == []


def test_a_campaign_of_that_name_in_another_ledger_keeps_its_runs(filled: Filled) -> None:
    recorded(filled)
    row = filled.ledger.campaign(filled.id)
    assert row is not None
    other = type(row)(**{**vars(row), "created_at": row.created_at + 1.0})
    assert erase_campaign(filled.store, other).runs == 0
    assert len(runs(filled)) == 6


def test_models_that_came_from_it_stay_with_their_training_and_are_named(
    filled: Filled, tmp_path: Path
) -> None:
    recorded(filled)
    write_file(tmp_path / "model" / "weights.pt", "weights")
    tags = {"automl.campaign": filled.id}
    training = TrainingRun("demo/train-1", "accuracy", {"epochs": 8}, {"accuracy": 0.5}, tags=tags)
    register_model(filled.store, name="demo", folder=tmp_path / "model", run=training)
    row = filled.ledger.campaign(filled.id)
    assert row is not None
    assert deleting.delete(filled.store, filled.ledger, row).models == ("demo version 1",)
    assert list(runs(filled)) == ["demo/train-1"]
    assert [path.name for path in files(filled)] == ["weights.pt"]


def test_leftovers_are_told_first_and_then_removed(filled: Filled, tmp_path: Path) -> None:
    recorded(filled)
    store = filled.store
    work = store.folder / "work"
    winner, loser = (filled.ledger.trials(filled.id)[place] for place in (2, 0))
    kept = write_file(Path(winner.workdir or "") / "checkpoints/1", "kept")
    write_file(Path(loser.workdir or "") / "checkpoints/1", "12345")
    write_file(work / "gone-7/random-0/0/note", "1234567")
    own = write_file(work / filled.id / "alive.json", "{}")
    dead = write_file(store.folder / "staging" / _dead_owner() / "file", "123")
    orphan = write_file(Path(store.artifacts) / "demo" / ("0" * 32) / "artifacts/file", "1")
    model = write_file(Path(store.artifacts) / "demo/models/m-1/file", "model")
    make_client(store).delete_run(runs(filled)["demo-1/random/0/0"].info.run_id)

    def found(dry: bool) -> dict[str, int]:
        found = leftovers.clear(store, filled.ledger, dry=dry, unknown=True)
        return {one.what: one.count for one in found}

    told = found(dry=True)
    assert told == {
        "work folders of deleted campaigns": 0,
        "work folders of campaigns that are not there": 3,  # those of two trials lie beside it here
        "checkpoints of trials that did not win": 1,
        "uploads of processes that died": 1,
        "artifacts without a run": 1,
        "runs in MLflow's trash": 1,
    }
    assert dead.exists() and orphan.exists()
    shutil.move(work / "2", tmp_path / "2")
    assert found(dry=False)["runs in MLflow's trash"] == 1
    shutil.move(tmp_path / "2", work / "2")
    assert kept.exists() and own.exists() and model.exists()
    assert not dead.exists() and not orphan.exists() and not (work / "gone-7").exists()
    assert not (Path(loser.workdir or "") / "checkpoints").exists()
    assert make_client(store).search_runs(_all(filled), run_view_type=ViewType.DELETED_ONLY) == []
    shutil.rmtree(work / "2")
    assert set(found(dry=False).values()) == {0}, "nothing is left the second time"


def test_what_another_ledger_in_the_folder_may_own_is_told_and_kept(filled: Filled) -> None:
    recorded(filled)
    store = filled.store
    others = [
        write_file(store.folder / "work/other-1/tpe-0/3/checkpoints/1", "weights"),
        write_file(Path(store.artifacts) / "demo" / ("0" * 32) / "artifacts/model/file", "1"),
    ]
    row = filled.ledger.create_campaign("mine", filled.campaign.spec, "digest", {})
    assert deleting.delete(store, filled.ledger, row).campaign == "mine-1"
    left = write_file(store.folder / "work/mine-1/random-0/0/note", "of a deletion that was killed")
    found = {one.what: one for one in leftovers.clear(store, filled.ledger, dry=False)}
    assert all(path.exists() for path in others) and not left.exists()
    kept = {what for what, one in found.items() if one.kept}
    assert kept == {"work folders of campaigns that are not there", "artifacts without a run"}
    assert found["work folders of deleted campaigns"].count == 1


def test_what_a_living_driver_uses_is_left_alone(filled: Filled) -> None:
    trial = filled.trial(0)
    checkpoint = write_file(Path(trial.workdir or "") / "checkpoints/1", "12345")
    named = write_file(filled.store.folder / "work" / filled.id / "random-0/0/note", "text")
    part = write_file(filled.store.folder / "staging" / _living_owner() / "file", "123")
    trial_row = next(row for row in filled.ledger.trials(filled.id) if row.id == trial.id)
    assert trial_row.workdir is not None
    found = {one.what: one.count for one in leftovers.clear(filled.store, filled.ledger, dry=True)}
    assert found["checkpoints of trials that did not win"] == 0
    assert found["uploads of processes that died"] == 0
    assert checkpoint.exists() and named.exists() and part.exists()


@pytest.mark.parametrize("label", ["demo", "demo-1", "demo-99", "a/b", "", " x", "x" * 101, "a\nb"])
def test_names_that_are_taken_or_may_become_ids_are_refused(filled: Filled, label: str) -> None:
    if label == "demo-1":
        filled.ledger.create_campaign("demo", filled.campaign.spec, "digest", {})
        row = filled.ledger.campaign("demo-2")
    else:
        row = filled.campaign
    assert row is not None
    with pytest.raises(UserError, match="NEW must be"):
        renaming.rename(filled.store, filled.ledger, row, label)


def test_a_name_is_in_mlflow_too_and_its_id_takes_it_away(filled: Filled, ledger: Ledger) -> None:
    recorded(filled)
    said = renaming.rename(filled.store, ledger, filled.campaign, "first try 1.0")
    assert said == "demo-1 is called 'first try 1.0' now, in MLflow too"
    assert runs(filled)["demo-1"].info.run_name == "first try 1.0 (demo-1)"
    other = ledger.create_campaign("other", filled.campaign.spec, "digest", {})
    with pytest.raises(UserError, match="NEW must be a name that no"):
        renaming.rename(filled.store, ledger, other, "first try 1.0")
    renaming.rename(filled.store, ledger, filled.campaign, "demo-1")
    row = ledger.campaign("demo-1")
    assert row is not None and row.label is None
    assert runs(filled)["demo-1"].info.run_name == "demo-1"


def _all(filled: Filled) -> list[str]:
    experiments = make_client(filled.store).search_experiments(view_type=ViewType.ALL)
    return [experiment.experiment_id for experiment in experiments]


def _living_owner() -> str:
    return f"{owner_identity()}-abc"


def _dead_owner() -> str:
    host, _, start = _living_owner().removesuffix("-abc").rsplit(":", 2)
    return f"{host}:4194999:{start}-abc"
