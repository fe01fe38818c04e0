"""What a worker does with the CPUs it holds."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from automl.executors import process

CROWDED = """
import os, time
from automl.executors.process import waited
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
before = waited()
time.sleep(0.05)
slept = waited() - before
other = os.fork()
while other == 0:
    pass
end = time.monotonic() + 30
while waited() - before - slept < 0.02 and time.monotonic() < end:
    pass
crowded = waited() - before - slept
os.kill(other, 9)
print(slept < 0.04, crowded >= 0.02)
"""
FAULTS = """
import resource
import torch
from automl.executors.process import use_cpus

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        torch.ones(16 * 2**20)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

torch.set_num_threads(1)
fresh = faults()
use_cpus(2.5)
faults()  # the first time the pages are new
print(torch.get_num_threads(), fresh, faults())
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have no mallopt")
def test_threads_as_cpus_and_freed_memory_stays() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    threads, before, after = map(int, done.stdout.split())
    assert threads == 2
    assert after < before / 10


@pytest.mark.parametrize(("gpus", "seen", "expected"), [
    (0, None, {}),
    (0, "2,3", {}),
    (1, None, {"CUDA_VISIBLE_DEVICES": "0"}),
    (0.5, "2,3", {"CUDA_VISIBLE_DEVICES": "2"}),
    (2, "GPU-a,GPU-b,GPU-c", {"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}),
])  # fmt: skip
def test_a_trial_sees_the_gpus_that_it_holds(gpus: float, seen: str | None, expected: dict[str, str]) -> None:
    environment = {} if seen is None else {"CUDA_VISIBLE_DEVICES": seen}
    assert process.visible_gpus(gpus, environment) == expected


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="this system does not tell")
def test_a_thread_that_waits_for_a_processor_is_told_from_one_that_sleeps() -> None:
    told = subprocess.run([sys.executable, "-c", CROWDED], capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["True", "True"], told.stderr
