"""A device that trials run on, what a trial cost there, and the table of all of it.

With the device `cpu` the same code runs where there is no GPU, so that only the card itself is untried there.
"""

from __future__ import annotations

import platform
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from automl.checking.evaluator_trials import Example, _Trials
from automl.contracts import Result
from automl.plugins import load

HEADS = ("evaluator", "what", "seconds", "peak MiB", "ok")


@dataclass(frozen=True)
class Measured:
    """A trial: its result and reports, wall seconds, and the most bytes that torch held (0 on a CPU)."""

    result: Result
    reports: list[tuple[int, float]]
    seconds: float
    peak: int


@dataclass(frozen=True)
class Card:
    """A device by torch's name, such as `cuda:0`."""

    device: str

    @property
    def on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def title(self) -> str:
        """Name of the device, memory, versions: what a table of figures must say."""
        versions = f"torch {torch.__version__}, Python {platform.python_version()}"
        if not self.on_gpu:
            return f"{platform.machine()} CPU, {versions}"
        known = torch.cuda.get_device_properties(self.device)
        cuda, cudnn = torch.version.cuda, torch.backends.cudnn.version()
        size = known.total_memory / 2**30
        return f"{known.name}, {size:.0f} GiB, CUDA {cuda}, cuDNN {cudnn}, {versions}"

    def run(self, trials: _Trials, **fields: Any) -> Measured:
        """Run a trial of an evaluator's example."""
        self._synchronise()
        if self.on_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats(self.device)
        before = torch.cuda.memory_allocated(self.device) if self.on_gpu else 0
        began = time.perf_counter()
        with tempfile.TemporaryDirectory(prefix="automl-gpu-") as folder:
            result, context = trials._run(Path(folder), device=self.device, **fields)
        self._synchronise()
        seconds = time.perf_counter() - began
        peak = torch.cuda.max_memory_allocated(self.device) - before if self.on_gpu else 0
        return Measured(result, context.reports, seconds, peak)

    def _synchronise(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize(self.device)


def trials_of(evaluator: str, **options: Any) -> _Trials:
    """The trials of an evaluator on the example of its contract, with other options."""
    plugin = load("evaluators", evaluator)
    plain = _Trials.of(plugin, None)
    if not options:
        return plain
    example = Example({**plain.example.options, **options}, plain.example.space, plain.example.task)
    return _Trials.of(plugin, example)


def table(title: str, rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows as a table in Markdown, below what it was measured on."""
    lines = ["| " + " | ".join(row) + " |" for row in (HEADS, *rows)]
    return [title, "", lines[0], "|" + "---|" * len(HEADS), *lines[1:]]
