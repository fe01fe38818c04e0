"""Objectives with exceptions, values, steps, texts and side effects that no campaign can wish for."""

from __future__ import annotations

import asyncio
import ctypes
import multiprocessing
import os
import shutil
import sys
import tempfile
import warnings
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import optuna

from automl.contracts import Result
from automl.space import Float, Space

SPACE = Space({"x": Float(-10.0, 10.0)})


class MuteError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not a word")


class Hopeless(optuna.TrialPruned):
    pass


class TrialPruned(Exception):  # noqa: N818 - Optuna's own name
    """Not Optuna's."""


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def without_gradients(config: dict[str, Any], context: Any) -> float:
    import torch

    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    return float(before)


def undecodable(config: dict[str, Any], context: Any) -> float:
    raise ValueError("bad file name: caf\udce9.png")


def nul(config: dict[str, Any], context: Any) -> float:
    raise OSError("a\0b")


def escapes(config: dict[str, Any], context: Any) -> float:
    raise ValueError("\x1b[2Jcleared\r\x07")


def long_text(config: dict[str, Any], context: Any) -> float:
    raise ValueError("x" * 1_000_000)


def mute(config: dict[str, Any], context: Any) -> float:
    raise MuteError


def cancelled(config: dict[str, Any], context: Any) -> float:
    async def work() -> float:
        raise asyncio.CancelledError

    return asyncio.run(work())


def generator_exit(config: dict[str, Any], context: Any) -> float:
    raise GeneratorExit


def own_base_exception(config: dict[str, Any], context: Any) -> float:
    raise type("Enough", (BaseException,), {})("of this")


def group(config: dict[str, Any], context: Any) -> float:
    raise BaseExceptionGroup("two", [ValueError("a"), asyncio.CancelledError()])


def leaves(config: dict[str, Any], context: Any) -> float:
    os._exit(3)


def huge(config: dict[str, Any], context: Any) -> float:
    return 1e308


def reports_huge(config: dict[str, Any], context: Any) -> float:
    context.report(1, -1e308)
    return 1.0


def huge_integer(config: dict[str, Any], context: Any) -> int:
    return 10**5000


def complex_number(config: dict[str, Any], context: Any) -> complex:
    return 1 + 2j


def truth(config: dict[str, Any], context: Any) -> bool:
    return True


def reports_truth(config: dict[str, Any], context: Any) -> float:
    context.report(1, np.True_)
    return 1.0


def decimal(config: dict[str, Any], context: Any) -> Any:
    return Decimal("0.5")


def unprintable(config: dict[str, Any], context: Any) -> Any:
    return Unprintable()


def fractional_step(config: dict[str, Any], context: Any) -> float:
    context.report(0.25, 1.0)
    return 1.0


def large_step(config: dict[str, Any], context: Any) -> float:
    context.report(2**63, 1.0)
    return 1.0


def negative_step(config: dict[str, Any], context: Any) -> float:
    context.report(-1, 1.0)
    return 1.0


def nan_step(config: dict[str, Any], context: Any) -> float:
    context.log(float("nan"), a=1.0)
    return 1.0


def repeated_step(config: dict[str, Any], context: Any) -> float:
    context.report(1, 1.0)
    context.report(1, 2.0)
    return 1.0


def reserved_metric(config: dict[str, Any], context: Any) -> float:
    context.report(1, 1.0, device_seconds=3.0)
    return 1.0


def reserved_result(config: dict[str, Any], context: Any) -> Result:
    return Result({"loss": 1.0}, {"trials_failed": 3.0})


def twice(config: dict[str, Any], context: Any) -> float:
    context.report(1, 1.0, loss=2.0)
    return 1.0


def array_in_derived(config: dict[str, Any], context: Any) -> Result:
    return Result({"loss": 1.0}, derived={"x": np.ones(3)})


def negative_cost(config: dict[str, Any], context: Any) -> float:
    context.charge(float("nan"))
    return 1.0


def artifact_name(config: dict[str, Any], context: Any) -> float:
    context.artifact("caf\udce9.txt").write_text("x")
    return 1.0


def pruned(config: dict[str, Any], context: Any) -> float:
    raise optuna.TrialPruned


def pruned_with_reason(config: dict[str, Any], context: Any) -> float:
    raise optuna.exceptions.TrialPruned("loss is flat")


def pruned_by_a_subclass(config: dict[str, Any], context: Any) -> float:
    try:
        raise ValueError("inner")
    except ValueError as error:
        raise Hopeless("by my own rule") from error


def not_optunas(config: dict[str, Any], context: Any) -> float:
    raise TrialPruned("of another library")


def fine(config: dict[str, Any], context: Any) -> Any:
    """Numbers of every kind, whole steps of every kind, names that MLflow refuses."""
    context.report(
        np.int64(1), np.float32(0.5), **{"acc@1": 1, "caf\udce9": Fraction(1, 2), "bad": float("nan")}
    )
    context.report(2.0, np.array(0.25), **{"n\0l": True, "l" * 7000: 1e308})
    context.report(2**62, Fraction(1, 8))
    return np.float64(0.125)


def changes_everything(config: dict[str, Any], context: Any) -> float:
    os.chdir(tempfile.mkdtemp())
    sys.stdout = None  # type: ignore[assignment]
    warnings.simplefilter("error")
    sys.setrecursionlimit(500)
    return 1.0


def endless(config: dict[str, Any], context: Any) -> float:
    return endless(config, context)


def loses_its_folders(config: dict[str, Any], context: Any) -> float:
    context.artifact("a.txt").write_text("gone")
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    shutil.rmtree(folder)
    shutil.rmtree(context.workdir)
    return 1.0


def forks(config: dict[str, Any], context: Any) -> float:
    """Copies that end by `return`, `sys.exit`, an exception and a report: none may go on."""
    codes = []
    for ending in range(4):
        child = os.fork()
        if child == 0:
            if ending == 1:
                sys.exit(5)
            if ending == 2:
                raise ValueError("in a copy")
            if ending == 3:
                context.report(1, 99.0)
            return -1.0
        codes.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert codes == [0, 5, 1, 1], codes
    return 1.0


def _start_method() -> str:
    """A copy of a worker of Ray, which has many threads, can be born with a lock that nobody frees."""
    return "spawn" if "ray" in sys.modules else "fork"


def _square(number: int) -> int:
    return number * number


def works_with_processes(config: dict[str, Any], context: Any) -> float:
    with multiprocessing.get_context(_start_method()).Pool(2) as pool:
        return float(sum(pool.map(_square, range(4))))


def loads_with_workers(config: dict[str, Any], context: Any) -> float:
    import torch

    data = torch.utils.data.DataLoader(list(range(4)), num_workers=2, multiprocessing_context=_start_method())
    return float(sum(batch.item() for batch in data))


def prints_everywhere(config: dict[str, Any], context: Any) -> float:
    sys.stdout.write("from Python\n")
    os.system("echo from a child")
    os.write(1, b"from a descriptor\n")
    ctypes.CDLL(None).puts(b"from C")
    return float(config["x"] or 0)
