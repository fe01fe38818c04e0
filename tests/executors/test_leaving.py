"""What a worker brings to the storage of a job, and what it says when it cannot."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from automl.checking import jobs, objectives
from automl.contracts import KEPT, Job, Outcome, Report, TrialState
from automl.executors import leaving
from automl.executors.worker import Clock, run_job
from automl.files import Folder, StorageError, failing
from automl.space import Float, Space

SPACE = Space({"x": Float(-10.0, 10.0)})


def leaves(config: dict[str, Any], context: Any) -> float:
    context.checkpoint.save(1, {"x": config["x"]})
    context.artifact("note.txt").write_text("hello")
    folder = context.artifact("pictures")
    folder.mkdir()
    (folder / "a.svg").write_text("<svg/>")
    context.artifact("never written")
    (context.workdir / KEPT).mkdir()
    (context.workdir / KEPT / "predictions").write_text("of rows held out")
    return float(config["x"])


class Channel:
    def report(self, report: Report) -> str | None:
        return None


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    monkeypatch.setenv("AUTOML_CACHE", str(tmp_path / "node"))
    monkeypatch.setattr(failing, "pause", lambda seconds: None)
    made = jobs.job(leaves, "/store/work/a-1/random-0")
    return replace(
        made, storage=f"file://{tmp_path}/there/a-1/random-0/0", space={"name": f"{__name__}:SPACE"}
    )


def ran(job: Job) -> Outcome:
    outcome = run_job(job, Channel())
    assert outcome.state is TrialState.COMPLETE, outcome.traceback
    return outcome


def test_files_go_to_the_storage_and_nothing_stays(job: Job, tmp_path: Path) -> None:
    outcome = ran(job)
    assert outcome.artifacts == ["note.txt", "pictures"]
    assert sorted(outcome.files or {}) == [
        "artifacts/note.txt",
        "artifacts/pictures/a.svg",
        f"{KEPT}/predictions",
    ]
    assert Outcome.from_json(outcome.to_json()) == outcome
    names = [entry.name for entry in Folder(job.storage or "").entries()]
    assert len([name for name in names if name.startswith("objects/")]) == 3
    assert len([name for name in names if name.startswith("checkpoints/")]) == 2
    assert not Path(job.workdir).exists()
    assert [path.name for path in (tmp_path / "node/work").iterdir()] == ["lock"]


def test_without_a_storage_files_stay_in_the_working_folder(job: Job, tmp_path: Path) -> None:
    outcome = ran(replace(job, storage=None, workdir=str(tmp_path / "work")))
    assert outcome.files is None
    assert (tmp_path / "work/artifacts/note.txt").read_text() == "hello"


def test_the_clock_of_a_trial_stands_while_its_files_are_brought(
    job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks: list[Clock] = []
    brought: list[float] = []

    def keep(*given: Any) -> dict[str, Any]:
        before = clocks[0]()
        time.sleep(0.01)
        brought.extend([before, clocks[0]()])
        return {}

    monkeypatch.setattr(leaving, "keep", keep)
    outcome = run_job(job, Channel(), clocks.append)
    assert brought == 2 * [outcome.device_seconds], "who is killed meanwhile pays no more than who is not"


def test_artifacts_that_cannot_be_brought_are_not_listed(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*arguments: object) -> None:
        raise StorageError("writing failed: away")

    monkeypatch.setattr(leaving, "keep", away)
    outcome = ran(job)
    assert outcome.artifacts == [] and outcome.files == {}
    assert outcome.reason == "artifacts are not kept: writing failed: away"


def test_a_node_without_a_folder_fails_its_trial_with_what_to_do(job: Job, tmp_path: Path) -> None:
    (tmp_path / "node").write_text("a file")
    outcome = run_job(job, Channel())
    assert outcome.state is TrialState.FAILED
    assert "AUTOML_CACHE must be a folder that this user can write" in outcome.reason


def test_the_checks_of_executors_name_no_storage() -> None:
    assert jobs.job(objectives.good, "/x").storage is None
