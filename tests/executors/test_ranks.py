"""Several ranks in one trial: they agree, end together, are told apart when one fails, and leave nothing."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from patience import PATIENCE
from queue_source import HERE, QueueSource, job

from automl.contracts import Ending, Job, Outcome, PluginSpec, TrialState
from automl.executors.local import Local
from automl.executors.ranks import check_ranks
from automl.executors.ray import Ray

SOON = 60.0  # seconds: much less than a rank waits for another one that only does not answer


@pytest.fixture(scope="module")
def executor() -> Iterator[Local]:
    made = Local(Local.Options(cpus=2, ranks=2))
    yield made
    made.close()


def summing(name: str, workdir: Path, ranks: int = 2, **options: Any) -> Job:
    plain = job("good", workdir)
    evaluator = PluginSpec("rank_evaluators:PLUGIN", options)
    space, folder = {"name": "rank_evaluators:SPACE"}, str(workdir / name)
    given = replace(plain, trial=name, evaluator=evaluator, space=space, workdir=folder, import_path=[HERE])
    return replace(given, ranks=ranks, cpus=2.0, devices=2.0, protocol=evaluator)


def ended(executor: Local, given: Job, stop_at: dict[str, int] | None = None) -> tuple[Outcome, QueueSource]:
    source = QueueSource([given], stop_at)
    executor.run(source)
    return source.outcomes[given.trial], source


def pid(given: Job, rank: int) -> int:
    """Of a rank, once it has begun."""
    folder = Path(given.workdir) / (f"ranks/{rank}" if rank else "")
    path, end = folder / f"pid-{rank}", time.monotonic() + PATIENCE
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < end, "the rank never began"
        time.sleep(0.01)
    return int(path.read_text())


def gone(process: int) -> bool:
    end = time.monotonic() + SOON
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.slow
def test_ranks_contribute_rank_0_reports_and_writes(executor: Local, tmp_path: Path) -> None:
    outcome, source = ended(executor, summing("whole", tmp_path))
    assert (outcome.state, outcome.values) == (TrialState.COMPLETE, [10.0])
    assert outcome.metrics == {"ranks": 2.0, "first": 0.0}
    reports = source.reports["whole"]
    assert [(r.step, r.value) for r in reports] == [(1, 1.0), (2, 3.0), (3, 6.0), (4, 10.0)]
    assert {r.metrics["threads"] for r in reports} == {1.0}, "two CPUs, two ranks"
    folder = tmp_path / "whole"
    assert (folder / "artifacts" / "note.txt").read_text() == "0"
    assert not (folder / "ranks").exists(), "what other ranks write is nobody's"
    assert len(list((folder / "checkpoints").glob("*.pt"))) == 2


@pytest.mark.slow
def test_ranks_are_used_again_also_after_one_was_pruned(executor: Local, tmp_path: Path) -> None:
    executor._places.close()
    begun = []
    for name, stop in (("first", {}), ("pruned", {"pruned": 2}), ("last", {})):
        given = summing(name, tmp_path)
        watched = threading.Thread(target=lambda given=given: begun.append(pid(given, 1)))
        watched.start()
        outcome, _ = ended(executor, given, stop)
        watched.join()
        assert outcome.state is (TrialState.PRUNED if stop else TrialState.COMPLETE)
    assert len(set(begun)) == 1


@pytest.mark.slow
@pytest.mark.parametrize(("fault", "reason", "ending"), [
    ("kill", "rank 1 died by SIGKILL", Ending.LOST),
    ("raise", "rank 1: ZeroDivisionError: no such luck", Ending.EXCEPTION),
    ("memory", "rank 1: RuntimeError: DefaultCPUAllocator: can't allocate memory", Ending.OOM),
])  # fmt: skip
def test_a_rank_that_ends_alone_ends_the_trial_and_says_how(
    executor: Local, tmp_path: Path, fault: str, reason: str, ending: Ending
) -> None:
    start = time.monotonic()
    outcome, source = ended(executor, summing(fault, tmp_path, fault=fault))
    assert (outcome.state, outcome.reason, outcome.ending) == (TrialState.FAILED, reason, ending)
    assert ("in fail\n" in outcome.traceback) == (fault == "raise"), "the traceback of that rank"
    assert not source.lost_jobs
    assert len(source.reports[fault]) == 2
    assert time.monotonic() - start < SOON
    again, _ = ended(executor, summing("after", tmp_path))
    assert again.values == [10.0]


@pytest.mark.slow
def test_a_failure_of_rank_0_is_its_own_and_ends_the_others(executor: Local, tmp_path: Path) -> None:
    given = summing("zero", tmp_path, fault="raise", on=0)
    other: list[int] = []
    watched = threading.Thread(target=lambda: other.append(pid(given, 1)))
    watched.start()
    outcome, _ = ended(executor, given)
    watched.join()
    assert (outcome.reason, outcome.ending) == ("ZeroDivisionError: no such luck", Ending.EXCEPTION)
    assert gone(other[0])


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2), (2, 3)])
def test_a_checkpoint_is_read_at_any_number_of_ranks(
    executor: Local, tmp_path: Path, before: int, after: int
) -> None:
    once = str(tmp_path / "once")
    first = summing(
        "moves", tmp_path, ranks=before, fault="kill" if before > 1 else "raise", on=before - 1, once=once
    )
    assert ended(executor, first)[0].state is TrialState.FAILED
    outcome, source = ended(executor, replace(first, ranks=after))
    assert outcome.values == [10.0]
    assert outcome.metrics == {"ranks": after, "first": 2.0}
    assert [report.step for report in source.reports["moves"]] == [3, 4]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_worker_that_dies_leaves_no_rank(tmp_path: Path, how: signal.Signals) -> None:
    executor, given = Local(Local.Options(cpus=2, ranks=2)), summing("dies", tmp_path, fault="wait")
    found: list[int] = []

    def end() -> None:
        found.append(pid(given, 1))
        os.kill(pid(given, 0), how)

    ending = threading.Thread(target=end)
    ending.start()
    source = QueueSource([given])
    source.lost = lambda *ended: source.open.clear() or source.losses.update(dies=[str(e) for e in ended])  # type: ignore[method-assign, func-returns-value]
    executor.run(source)
    ending.join()
    assert f"its worker died by {how.name}" in source.losses["dies"]
    assert gone(found[0])
    executor.close()


@pytest.mark.slow
def test_a_deadline_ends_all_ranks(tmp_path: Path) -> None:
    executor = Local(Local.Options(cpus=2, ranks=2))
    given = replace(summing("late", tmp_path, fault="wait"), deadline=1.0)
    found: list[int] = []
    watched = threading.Thread(target=lambda: found.append(pid(given, 1)))
    watched.start()
    outcome, _ = ended(executor, given)
    watched.join()
    assert outcome.late
    assert gone(found[0])
    executor.close()


@pytest.mark.parametrize(("ranks", "cpus", "gpus", "text"), [
    (2, 1, 0, r"ranks must be at most cpus \(1\), but got 2"),
    (2, 4, 3, r"ranks must be 1 or the number of GPUs \(3\), but got 2"),
    (None, 4, 1.5, "gpus must be a whole number, or a part of one GPU, but got 1.5"),
])  # fmt: skip
def test_ranks_must_divide_what_a_trial_holds(ranks: int | None, cpus: float, gpus: float, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        check_ranks(ranks, cpus, gpus)


def test_a_trial_has_a_rank_for_each_gpu_and_none_for_each_cpu() -> None:
    assert Local(Local.Options(cpus=2)).ranks == 1
    assert Local(Local.Options(gpus=2)).ranks == 2
    assert Local(Local.Options(gpus=2, ranks=1)).ranks == 1
    assert Ray(Ray.Options(cpus=0.25)).ranks == Ray(Ray.Options(cpus=0.5, ranks=1)).ranks == 1
    two = Local(Local.Options(cpus=2, ranks=2))
    assert (two.ranks, two.isolate, two.in_process, two.held.devices) == (2, True, False, 2.0)


@pytest.mark.slow
def test_a_meta_learner_of_two_ranks_learns_what_one_learns(executor: Local, tmp_path: Path) -> None:
    options = {
        "learner": "maml",
        "iterations": 20,
        "report_every": 10,
        "inner_steps": 2,
        "formulation": "loop",
    }
    evaluator = PluginSpec("metalearn", {**options, "validation_episodes": 60, "width": 8})
    metric = {"name": "mse", "direction": "minimize"}
    task = {"dataset": "sinusoids", "metrics": [metric], "episodes": {"shots": 5, "queries": 5}}
    found = {}
    for ranks in (1, 2):
        given = replace(summing(f"maml-{ranks}", tmp_path, ranks), evaluator=evaluator, protocol=evaluator)
        given = replace(given, space={"name": "maml"}, task=task, metrics=[metric], config={})
        outcome, source = ended(executor, given)
        assert outcome.state is TrialState.COMPLETE, outcome.traceback
        found[ranks] = [
            outcome.metrics["train_loss"],
            *(report.value for report in source.reports[given.trial]),
        ]
    assert found[2] == pytest.approx(found[1], rel=1e-5)
