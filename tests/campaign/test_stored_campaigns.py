"""Whole campaigns whose trials leave their files in a storage: nothing of them is in the store's folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import stored_study
from mlflow import MlflowClient
from s3_server import Bucket

from automl.campaign import run_campaign
from automl.config import load_study
from automl.contracts import RunError, TrialState
from automl.files import failing
from automl.ledger import Ledger, Store
from automl.progress import QuietProgress
from automl.recorder.audit import audit, repair
from automl.recorder.experiments import make_client
from automl.upkeep.deleting import delete
from automl.upkeep.leftovers import clear


@pytest.fixture(autouse=True)
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "node"))
    return tmp_path / "node"


def run(study: Path, store: Store) -> str:
    return run_campaign(load_study(study), store=store, progress=QuietProgress())


def files_in_mlflow(store: Store, client: MlflowClient) -> dict[str, set[str]]:
    """Artifacts by identity."""
    experiment = client.get_experiment_by_name("stored")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    return {
        one.data.tags["automl.id"]: {file.path for file in client.list_artifacts(one.info.run_id)}
        for one in runs
    }


@pytest.mark.slow
def test_a_campaign_leaves_everything_in_a_bucket(
    bucket: Bucket, workspace: Path, store: Store, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_STORAGE", bucket.url)
    assert run(stored_study.write(workspace), store) == "stored-1"
    places = set((workspace / "places").read_text().split())
    assert len(places) == 5 and all(place.startswith(str(node / "work")) for place in places)
    assert not any(Path(place).exists() for place in places)
    work = [path.name for path in (store.folder / "work/stored-1").rglob("*") if path.is_file()]
    assert set(work) == {"alive.json", "comparison.json", "report.html"}
    with Ledger(store) as ledger:
        rows = ledger.trials(campaign="stored-1")
        assert all(row.storage and row.storage.startswith(f"{bucket.url}/stored-1-") for row in rows)
        finals = [row for row in rows if row.kind == "final"]
        assert [sorted(row.files or {}) for row in finals] == [
            ["artifacts/notes.json", "model/config.json"]
        ] * 2
        (opening,) = ledger.openings("stored-1")
        assert opening.values is not None and len(opening.values) == 2
        found = files_in_mlflow(store, make_client(store))
        assert all({"notes.json"} <= found[row.id] for row in rows)
        assert all("model" in found[row.id] for row in finals)
        (search,) = ledger.searches("stored-1")
        assert "checkpoint" in found[search.id]
        assert audit(store, ledger, "stored-1").faults == {}
        left = {key.split("/")[3] for key in bucket.objects() if "/checkpoints/" in key}
        assert left == {(search.winner or "").rpartition("/")[2]}


@pytest.mark.slow
def test_what_a_campaign_has_in_a_bucket_goes_with_it(
    bucket: Bucket, workspace: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_STORAGE", bucket.url)
    run(stored_study.write(workspace), store)
    (folder,) = {"/".join(key.split("/")[:2]) for key in bucket.objects()}
    bucket.put(f"{folder}/random-0/0/objects/{'0' * 64}", b"of a lost attempt")
    with Ledger(store) as ledger:
        (search,) = ledger.searches("stored-1")
        loser = next(number for number in "012" if number != (search.winner or "")[-1])
        bucket.put(f"{folder}/random-0/{loser}/checkpoints/step-00000001.json", b"{}")
        before = set(bucket.objects())
        dry = {one.what: one.count for one in clear(store, ledger, dry=True) if "stored" in one.what}
        assert dry == {
            "stored checkpoints of trials that did not win": 1,
            "stored files of attempts that were lost": 1,
        }
        assert set(bucket.objects()) == before
        clear(store, ledger, dry=False)
        assert len(bucket.objects()) == len(before) - 2
        bucket.put("automl/of-others", b"x")
        campaign = ledger.campaign("stored-1")
        assert campaign is not None
        assert delete(store, ledger, campaign).bytes > 0
    assert set(bucket.objects()) == {"automl/of-others"}


@pytest.mark.slow
def test_a_lost_model_is_trained_again_before_the_test_is_opened(
    workspace: Path, store: Store, tmp_path: Path, node: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_STORAGE", str(tmp_path / "storage"))
    study = stored_study.write(workspace)
    from automl.campaign import run as running

    opened = running._open_tests

    def lose_one(*arguments: object) -> bool:
        monkeypatch.setattr(running, "_open_tests", opened)
        with Ledger(store) as ledger:
            first = next(row for row in ledger.trials(campaign="stored-1") if row.kind == "final")
        sha = (first.files or {})["model/config.json"].sha256
        (path,) = (tmp_path / "storage").glob(f"stored-1-*/random-0/final-0/objects/{sha}")
        path.write_bytes(b"rotten")
        shutil.rmtree(node / "files", ignore_errors=True)  # the recorder's copy, if it has made one by now
        return opened(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(failing, "pause", lambda seconds: None)
    monkeypatch.setattr(running, "_open_tests", lose_one)
    run(study, store)
    with Ledger(store) as ledger:
        finals = [row for row in ledger.trials(campaign="stored-1") if row.kind == "final"]
        assert [row.number for row in finals] == [0, 1, 2]
        assert "were kept" in (finals[0].lost or "") and finals[2].seed == finals[0].seed
        (opening,) = ledger.openings("stored-1")
        assert opening.trials == [finals[1].id, finals[2].id]
        faults = audit(store, ledger, "stored-1").faults
    assert faults == {}


@pytest.mark.slow
def test_without_a_shared_folder_the_end_says_what_to_do_and_the_same_command_goes_on(
    workspace: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from automl.campaign import run as running
    from automl.executors import process

    study, opened = stored_study.write(workspace), running._open_tests

    def elsewhere(*arguments: object) -> bool:
        monkeypatch.setattr("automl.campaign.models.HOST", "driver")
        for path in (store.folder / "work/stored-1").glob("random-0/final-*"):
            shutil.rmtree(path)
        return opened(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(running, "_open_tests", elsewhere)
    with pytest.raises(
        RunError, match=f"2 models must be read .* they are on {process.HOST}.*AUTOML_STORAGE"
    ):
        run(study, store)
    with Ledger(store) as ledger:
        assert ledger.openings("stored-1") == []
    monkeypatch.setattr(running, "_open_tests", opened)
    monkeypatch.setenv("AUTOML_STORAGE", str(tmp_path / "storage"))
    run(study, store)
    with Ledger(store) as ledger:
        (opening,) = ledger.openings("stored-1")
        assert opening.values is not None and len(opening.values) == 2
        assert [row.lost is None for row in ledger.trials(campaign="stored-1") if row.kind == "final"] == [
            False,
            False,
            True,
            True,
        ]


@pytest.mark.slow
def test_a_listed_artifact_that_mlflow_lacks_is_a_fault_and_repaired(
    workspace: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTOML_STORAGE", str(tmp_path / "storage"))
    run(stored_study.write(workspace), store)
    (first, *_) = sorted(Path(store.artifacts).rglob("notes.json"))
    first.unlink()
    with Ledger(store) as ledger:
        (fault,) = audit(store, ledger, "stored-1").faults["files"]
        assert fault.endswith(": notes.json")
        assert repair(store, ledger, "stored-1").faults == {}
    assert json.loads(first.read_text())


@pytest.mark.slow
def test_a_retraining_whose_model_cannot_be_kept_is_tried_again(
    workspace: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from automl.executors import leaving
    from automl.files import StorageError, keep

    monkeypatch.setenv("AUTOML_STORAGE", str(tmp_path / "storage"))
    failed = []

    def failing_once(url: str, root: Path, names: list[str]) -> object:
        if names and names[0].startswith("model/") and not failed:
            failed.append(url)
            raise StorageError("writing config.json failed: away")
        return keep(url, root, names)

    monkeypatch.setattr(leaving, "keep", failing_once)
    run(stored_study.write(workspace), store)
    with Ledger(store) as ledger:
        finals = [row for row in ledger.trials(campaign="stored-1") if row.kind == "final"]
        assert [(row.state, row.attempt) for row in finals] == [
            (TrialState.COMPLETE, 2),
            (TrialState.COMPLETE, 1),
        ]
        reasons = [one.reason for ends in ledger.attempts("stored-1").values() for one in ends]
    assert "its model could not be kept: writing config.json failed: away" in reasons
