"""Which trials keep what a retraining may combine, on a real ledger, with outcomes told by hand."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from patience import PATIENCE
from test_live import Bench

from automl.contracts import KEPT, Job, StoredFile
from automl.files import Folder, keep
from automl.ledger import Ledger


@pytest.fixture
def bench(ledger: Ledger, tmp_path: Path) -> Bench:
    return Bench(ledger, trials=5, finals=1, combined=2, workdir=tmp_path)


def leave(job: Job) -> Path:
    folder = Path(job.workdir) / KEPT
    folder.mkdir(parents=True)
    (folder / "predictions").write_text(job.trial)
    return folder


def searched(bench: Bench, values: tuple[float | None, ...] = (0.5, 0.9, 0.3, None, 0.4)) -> list[Path]:
    """A search of trials with these losses; what each has left."""
    folders = []
    for value in values:
        job = bench.take()
        folders.append(leave(job))
        bench.end(job, value)
    assert bench.search.propose() is None
    return folders


def final(bench: Bench) -> Job:
    job = bench.search.propose_final()
    assert job is not None and job.final
    return job


def test_the_best_trials_keep_their_files_and_the_retraining_gets_them(bench: Bench) -> None:
    folders = searched(bench)
    assert [folder.is_dir() for folder in folders] == [False, False, True, False, True]
    job = final(bench)
    assert [(one.trial.rpartition("/")[2], one.value) for one in job.candidates] == [("2", 0.3), ("4", 0.4)]
    assert [Path(one.workdir or "") / KEPT for one in job.candidates] == [folders[2], folders[4]]
    assert job.config == job.candidates[0].config and job.candidates[0].cost == 1.0
    assert job.remaining == job.deadline, "of a study without limits"
    assert Job.from_json(job.to_json()) == job
    assert Job.from_json({**job.to_json(), **job.beyond(None)}) == job


def test_what_is_kept_is_found_again_after_a_kill(bench: Bench) -> None:
    for value in (0.5, 0.9, 0.3):
        job = bench.take()
        leave(job)
        bench.end(job, value)
    bench.search = bench.make()
    folders = []
    for value in (0.1, 0.2):
        job = bench.take()
        folders.append(leave(job))
        bench.end(job, value)
    assert bench.search.propose() is None
    bench.search = bench.make()
    job = final(bench)
    assert [one.value for one in job.candidates] == [0.1, 0.2]
    left = {path.parent for path in bench.settings.workdir.glob(f"*/{KEPT}")}
    assert left == {folder.parent for folder in folders}
    bench.search = bench.make()  # killed in the retraining
    again = final(bench)
    assert again.candidates == job.candidates and again.attempt == 2


def test_trials_of_other_searches_have_none(ledger: Ledger, tmp_path: Path) -> None:
    bench = Bench(ledger, trials=5, finals=1, workdir=tmp_path)
    assert all(folder.is_dir() for folder in searched(bench))
    job = final(bench)
    assert job.candidates == [] and job.remaining is None


def test_evaluations_again_keep_nothing_and_candidates_stay(ledger: Ledger, tmp_path: Path) -> None:
    bench = Bench(ledger, trials=2, finals=1, combined=2, top=2, workdir=tmp_path)
    first = searched(bench, (0.2, 0.1))
    for value in (0.1, 0.5):
        job = bench.search.propose_final()
        assert job is not None and "/again-" in job.trial and not job.final and job.candidates == []
        folder = leave(job)
        bench.end(job, value)
        assert not folder.exists()
    assert all(folder.is_dir() for folder in first)
    job = final(bench)
    assert [one.value for one in job.candidates] == [0.1, 0.2]


def test_files_in_a_storage_are_removed_there_and_others_stay(ledger: Ledger, tmp_path: Path) -> None:
    url = f"file://{tmp_path}/there"
    bench = Bench(ledger, trials=2, finals=1, combined=1, workdir=tmp_path / "work", storage=url)
    for value in (0.2, 0.1):
        job = bench.take()
        (tmp_path / KEPT).mkdir(exist_ok=True)
        (tmp_path / KEPT / "predictions").write_text(job.trial)
        (tmp_path / "artifact").write_text(f"artifact of {job.trial}")
        files = keep(job.storage or "", tmp_path, [f"{KEPT}/predictions", "artifact"])
        bench.end(job, value, files=files)
    deadline = time.monotonic() + PATIENCE
    while len(Folder(f"{url}/0").entries()) > 1 and time.monotonic() < deadline:
        time.sleep(0.01)  # they are removed behind the trials
    sizes = [len(Folder(f"{url}/{number}").entries()) for number in (0, 1)]
    assert sizes == [1, 2], "the first one's predictions are gone"
    bench.search.propose()
    (candidate,) = final(bench).candidates
    assert candidate.storage == f"{url}/1" and set(candidate.files or {}) == {
        f"{KEPT}/predictions",
        "artifact",
    }
    assert all(isinstance(one, StoredFile) for one in (candidate.files or {}).values())
