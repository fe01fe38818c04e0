"""An evaluator that several ranks evaluate, and on which one of them ends as asked."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from automl.contracts import Config, Context, Evaluator, EvaluatorOptions, Result
from automl.ranks.group import current
from automl.space import Float, Space

SPACE = Space({"x": Float(-10.0, 10.0)})


class SummingOptions(EvaluatorOptions):
    """`fault` happens on rank `on` at step `at`, unless the file `once` exists, which it makes."""

    steps: int = 4
    fault: Literal["", "kill", "raise", "memory", "wait"] = ""
    at: int = 3
    on: int = 1
    once: str = ""


def wait() -> None:
    time.sleep(600)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    raise ZeroDivisionError("no such luck")


def memory() -> None:
    raise RuntimeError("DefaultCPUAllocator: can't allocate memory")


def nothing() -> None:
    pass


FAULTS: dict[str, Callable[[], None]] = {
    "": nothing, "kill": kill, "raise": fail, "memory": memory, "wait": wait,
}  # fmt: skip


class Summing(Evaluator):
    """The sum of 1 … steps, to which all ranks contribute alike."""

    Options: ClassVar[type[EvaluatorOptions]] = SummingOptions
    example_space: ClassVar[Space | None] = SPACE
    options: SummingOptions

    def most_ranks(self) -> int | None:
        return 4

    def evaluate(self, config: Config, context: Context) -> Result:
        group, options = current(), self.options
        saved = context.checkpoint.load()
        first, total = (saved[0], saved[1]["total"]) if saved else (0, torch.zeros((), dtype=torch.float64))
        Path(context.workdir).mkdir(parents=True, exist_ok=True)
        (context.workdir / f"pid-{group.rank}").write_text(str(os.getpid()))
        for step in range(first + 1, options.steps + 1):
            self._fault(step, group.rank)
            part = torch.tensor(step / group.size, dtype=torch.float64)
            group.total_([part])
            total = total + part
            context.checkpoint.save(step, {"total": total})
            context.report(step, float(total), ranks=group.size, threads=torch.get_num_threads())
        context.artifact("note.txt").write_text(str(group.rank))
        return Result({"loss": float(total)}, {"ranks": group.size, "first": first})

    def _fault(self, step: int, rank: int) -> None:
        options = self.options
        if step != options.at or rank != options.on or (options.once and Path(options.once).exists()):
            return
        if options.once:
            Path(options.once).touch()
        FAULTS[options.fault]()


PLUGIN: Any = Summing
