"""Call a function of the user's own: `function: {call: "my_code:objective"}`, as `f(config, context)`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from pydantic import Field

from automl import metrics, origins, plugins
from automl.contracts import Config, Context, Evaluator, EvaluatorOptions, Result, RunError
from automl.space import Float, Space


class FunctionOptions(EvaluatorOptions):
    """`call`: the function as `package.module:name`."""

    call: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")


class Function(Evaluator):
    """The evaluator `function`. A final evaluation is one more call, with a fresh `context.seed`."""

    Options: ClassVar[type[EvaluatorOptions]] = FunctionOptions
    example_options: ClassVar[Mapping[str, Any]] = {"call": f"{__name__}:example_objective"}
    example_space: ClassVar[Space | None] = Space({"x": Float(-1, 1)})
    reruns_without_data: ClassVar[bool] = True

    options: FunctionOptions

    def most_ranks(self) -> int | None:
        """The user's code decides what it does with the devices."""
        return None

    def evaluate(self, config: Config, context: Context) -> Result:
        """What the function returned: a number, a tuple in metric order, `{metric: value}` or a `Result`.

        Raises `RunError` when that is not one finite number for each metric.
        """
        function = self._function()
        return as_result(function(config, context), [metric.name for metric in context.metrics])

    def check_code(self) -> None:
        """Whether `call` names a function that takes a configuration and a context."""
        self._function()

    def _function(self) -> Callable[[Config, Context], object]:
        rule = "evaluator.function.call must name a function of (config, context)"
        value = plugins.load_attribute(self.options.call)
        return origins.as_function(with_context(value), self.options.call, 2, rule)


def example_objective(config: Config, context: Context) -> float:
    """An objective with its largest value at x = 0, approached in three steps."""
    largest = 1 - float(config["x"] or 0) ** 2
    for step in (1, 2, 3):
        context.report(step, largest - 1 / step)
    return largest


def with_context(function: Any) -> Any:
    """A function of (config) alone as one of (config, context); anything else as it is."""
    if not inspect.isroutine(function):
        return function
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # written in C, without a signature
        return function
    return (
        function if not _binds(signature, 1) or _binds(signature, 2) else lambda config, _: function(config)
    )


def _binds(signature: inspect.Signature, count: int) -> bool:
    try:
        signature.bind(*range(count))
    except TypeError:
        return False
    return True


def as_result(returned: object, names: list[str]) -> Result:
    """`returned` by an objective, checked: every metric of `names` has a finite number, unless it stopped."""
    if isinstance(returned, Result):
        wanted = names if not returned.stopped else [name for name in names if name in returned.values]
        return replace(returned, values=metrics.finite(returned.values, wanted))
    if isinstance(returned, Mapping):
        values = metrics.finite(returned, names)
        return Result(values, metrics.finite(returned, [name for name in returned if name not in values]))
    if not isinstance(returned, tuple | list):
        returned = (returned,)
    if len(returned) != len(names):
        raise RunError(
            f"an objective must return one value for each of {', '.join(names)}, but returned "
            f"{len(returned)}: {returned!r}; return a tuple in that order, or a dict"
        )
    return Result(metrics.finite(dict(zip(names, returned, strict=True)), names))


PLUGIN = Function
