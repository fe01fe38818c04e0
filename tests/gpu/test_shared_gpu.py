"""Two trials on one GPU: each has its part of the memory, and one that needs more is tried again alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cards import Card

from automl.checking.jobs import QueueSource, job
from automl.contracts import Ending, Job, TrialState
from automl.executors.isolated import Isolated

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: torch finds no CUDA device"),
]
CODE = """
import torch
from automl.space import Float, Space
SPACE = Space({"x": Float(0.0, 1.0)})

def takes(config, context):
    total = torch.cuda.get_device_properties(0).total_memory
    held = torch.empty(int(config["x"] * total), dtype=torch.uint8, device=context.device)
    context.report(1, float(held.numel()))
    return float(torch.cuda.max_memory_allocated(0))
"""
Note = Callable[..., None]


def taking(folder: Path, part: float, *, alone: bool = False, name: str = "takes") -> Job:
    """A job that holds half of the GPU and allocates a part of its memory."""
    (folder / "gpu_objectives.py").write_text(CODE)
    plain = job(lambda: None, str(folder), deadline=600.0)
    return replace(
        plain,
        trial=name,
        token=f"token-{name}",
        evaluator=replace(plain.evaluator, options={"call": "gpu_objectives:takes"}),
        space={"name": "gpu_objectives:SPACE"},
        import_path=[str(folder)],
        workdir=str(folder / name),
        config={"x": part},
        gpus=0.5,
        devices=0.5,
        alone=alone,
    )


def run(jobs: list[Job]) -> QueueSource:
    """Run jobs at once, each in a process of its own."""
    source = QueueSource(jobs)
    given = [source.next_job() for _ in jobs]
    workers = [Isolated() for _ in jobs]
    threads = [
        threading.Thread(target=worker.run, args=(one, source))
        for worker, one in zip(workers, given, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.close()
    return source


def test_two_trials_have_half_of_a_gpu_each(tmp_path: Path, card: Card, note: Note) -> None:
    source = run([taking(tmp_path, 0.3, name=name) for name in ("one", "two")])
    note("function", "two trials at once, 0.3 of the memory each")
    assert {one.state for one in source.outcomes.values()} == {TrialState.COMPLETE}


def test_more_than_the_part_is_out_of_memory_and_alone_there_is_room(
    tmp_path: Path, card: Card, note: Note
) -> None:
    out = run([taking(tmp_path, 0.6)]).outcomes["takes"]
    assert (out.state, out.error) == (TrialState.FAILED, Ending.OOM), out.reason
    assert "it had 0.5 of its GPU's memory" in out.reason
    again = run([taking(tmp_path, 0.6, alone=True)]).outcomes["takes"]
    note("function", "0.6 of the memory: refused at half a GPU, then alone")
    assert again.state is TrialState.COMPLETE, again.reason
