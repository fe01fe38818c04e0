"""Parts of a GPU's memory on a device that is not there: fractions, locks between trials, retries alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from patience import PATIENCE
from queue_source import job

from automl.contracts import Ending, Job, TrialState
from automl.executors import device_memory
from automl.executors.device_memory import CONTEXT, Device, held, share_of
from automl.executors.worker import run_job

TOTAL = 16 * 2**30


class FakeCuda:
    """Keeps what it is told, as `torch.cuda` would be."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def get_device_properties(self, index: int) -> SimpleNamespace:
        return SimpleNamespace(total_memory=TOTAL, uuid="GPU-17/a b")

    def empty_cache(self) -> None:
        self.calls.append("empty")

    def set_per_process_memory_fraction(self, fraction: float, index: int) -> None:
        self.calls.append(f"{fraction:.4f}")


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeCuda:
    fake = FakeCuda()
    monkeypatch.setattr(device_memory, "find_device", lambda: Device(fake))
    monkeypatch.setattr(device_memory, "FOLDER", tmp_path)
    monkeypatch.setattr(device_memory, "AGAIN", 0.005)
    return fake


def on_gpu(name: str, workdir: Path, gpus: float = 0.25, *, alone: bool = False) -> Job:
    return replace(job(name, workdir), gpus=gpus, alone=alone)


def test_four_trials_with_a_quarter_each_fit_with_what_cuda_takes_itself() -> None:
    assert 4 * (share_of(0.25, TOTAL) * TOTAL + CONTEXT) == TOTAL
    assert share_of(0.25, 2**30) == 0.125, "a small device: at least half of the part"
    assert (share_of(1.0, TOTAL), share_of(2.0, TOTAL), share_of(0.0, TOTAL)) == (1.0, 1.0, 1.0)


def test_a_part_is_given_and_taken_back(cuda: FakeCuda, tmp_path: Path) -> None:
    with held(on_gpu("good", tmp_path)):
        assert cuda.calls == ["empty", f"{share_of(0.25, TOTAL):.4f}"]
    assert cuda.calls[2:] == ["empty", "1.0000"]
    for whole in (0.0, 1.0, 2.0):
        with held(on_gpu("good", tmp_path, whole)):
            assert len(cuda.calls) == 4, "who holds whole devices, or none, is left alone"
    with held(on_gpu("good", tmp_path, alone=True)):
        assert cuda.calls[4:] == ["empty", "1.0000"]


def test_without_cuda_nothing_happens(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(device_memory, "FOLDER", tmp_path / "nowhere")
    monkeypatch.setattr(device_memory, "find_device", lambda: None)
    with held(on_gpu("good", tmp_path)):
        pass


class Trial:
    """A trial in a thread, from its wait for the GPU until it is let go."""

    def __init__(self, workdir: Path, *, alone: bool = False) -> None:
        self.inside, self.leave = threading.Event(), threading.Event()
        self._job = on_gpu("good", workdir, alone=alone)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        with held(self._job):
            self.inside.set()
            self.leave.wait(PATIENCE)

    def end(self) -> None:
        self.leave.set()
        self.thread.join(PATIENCE)


def until(what: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_one_that_is_alone_waits_for_the_others_and_new_ones_wait_for_it(
    cuda: FakeCuda, tmp_path: Path
) -> None:
    first, second = Trial(tmp_path), Trial(tmp_path)
    until(lambda: first.inside.is_set() and second.inside.is_set())
    alone = Trial(tmp_path, alone=True)
    time.sleep(0.05)
    late = Trial(tmp_path)
    first.end()
    time.sleep(0.05)
    assert not alone.inside.is_set() and not late.inside.is_set(), "the second one is still there"
    second.end()
    until(alone.inside.is_set)
    time.sleep(0.05)
    assert not late.inside.is_set()
    alone.end()
    until(late.inside.is_set)
    late.end()


def test_a_trial_that_runs_out_of_its_part_says_what_it_had(cuda: FakeCuda, tmp_path: Path) -> None:
    source = SimpleNamespace(report=lambda report: None)
    out = run_job(on_gpu("out_of_device_memory", tmp_path), source)
    assert (out.state, out.error) == (TrialState.FAILED, Ending.OOM)
    assert out.reason.endswith("it had 0.25 of its GPU's memory, as it holds gpus: 0.25")
    again = run_job(on_gpu("out_of_device_memory", tmp_path, alone=True), source)
    assert again.reason.endswith("it was alone on its GPU, after it ran out of its part (0.25) of the memory")
    whole = run_job(on_gpu("out_of_device_memory", tmp_path, 1.0), source)
    assert "gpus:" not in whole.reason and whole.error is Ending.OOM
    assert cuda.calls[-1] == "1.0000"
