"""What the code of a trial says (steps, configurations, exceptions) as plain data, or refused."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

from automl.contracts import Config, Metric, Result
from automl.executors.surroundings import ProcessEnded
from automl.metrics import number
from automl.space.basics import is_scalar

LARGEST_STEP = 2**63 - 1  # what the ledger and MLflow hold


def whole_step(step: Any) -> int:
    """A step as an integer. Raises `ValueError` for fractions, and for what no store can hold."""
    try:
        whole = operator.index(step)
    except TypeError:
        number = isinstance(step, Real) and math.isfinite(step)
        whole = int(step) if number and step == math.floor(step) else -1
    if 0 <= whole <= LARGEST_STEP:
        return whole
    raise ValueError(
        f"a step must be a whole number from 0 to 2^63 - 1, but got {step!r:.100}; count something whole, "
        "such as batches instead of parts of an epoch"
    )


def plain_config(derived: Mapping[Any, Any]) -> Config:
    """The configuration that a one-shot search found. Raises `TypeError` for what is not plain."""
    config: Config = {}
    for name, value in derived.items():
        if not isinstance(name, str) or not is_scalar(value):
            raise TypeError(
                "a derived configuration must map names to texts, finite numbers, truth values or None, "
                f"but got {name!r:.100}: {value!r:.100} of type {type(value).__name__}; convert it"
            )
        config[name] = value
    return config


def values_of(result: object, metrics: Sequence[Metric]) -> list[float]:
    """The values of a result in the order of the metrics. Raises for what is no result, or lacks one."""
    if not isinstance(result, Result):
        raise TypeError(f"an evaluator must return a Result, but got {type(result).__name__}")
    missing = [m.name for m in metrics if m.name not in result.values]
    if missing:
        raise ValueError(f"a result must hold every metric of the study, but {', '.join(missing)} is missing")
    return [number(m.name, result.values[m.name]) for m in metrics]


def is_pruned(error: BaseException) -> bool:
    """Whether it is Optuna's way to end a hopeless trial; told by its name: workers do not import Optuna."""
    names = ((kind.__module__.partition(".")[0], kind.__name__) for kind in type(error).__mro__)
    return ("optuna", "TrialPruned") in names


def described(error: BaseException) -> str:
    """An exception in words; one that cannot say what it is by its class alone."""
    name = type(error).__name__
    try:
        if isinstance(error, MemoryError):
            return "out of memory"
        if isinstance(error, SystemExit):
            return f"the evaluation called sys.exit({error.code!r})"
        if isinstance(error, ProcessEnded):
            return f"the evaluation called os._exit({error.code!r})"
        return f"{name}: {error}" if str(error) else name
    except Exception:
        return f"{name}, whose message cannot be read"
