"""Call a function of the user's own: `function: {call: "my_code:objective"}`, as `f(config, context)`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from automl import contracts, metrics, plugins
from automl.contracts import Config, Context, Metric, Result, RunError, Split, Task, UserError


class FunctionOptions(contracts.Options):
    """`call`: the function as `package.module:name`. `deadline` is in wall seconds."""

    call: str = Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$")
    deadline: float = Field(3600, gt=0)


class Function:
    """The evaluator `function`. A final evaluation is one more call, with a fresh `context.seed`."""

    Options: ClassVar[type[contracts.Options]] = FunctionOptions
    needs_data: ClassVar[bool] = False
    builder: ClassVar[Literal["network", "supernet"] | None] = None
    one_shot: ClassVar[bool] = False

    def __init__(self, options: FunctionOptions) -> None:
        self.options = options

    def evaluate(self, config: Config, context: Context) -> Result:
        """What the function returned: a number, a tuple in metric order, `{metric: value}` or a `Result`.

        Raises `RunError` when that is not one finite number for each metric.
        """
        function = plugins.load_attribute(self.options.call)
        if not callable(function):
            raise UserError(
                f"evaluator.function.call must name a function, but {self.options.call!r} is a "
                f"{type(function).__name__}; define it with def"
            )
        return as_result(function(config, context), [metric.name for metric in context.metrics])

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """A function leaves no model of a known form: always raises `UserError`."""
        raise UserError(
            "a test needs a model that can be loaded, but the evaluator function leaves none; "
            "write final: {seeds: 0} in the study file"
        )


def as_result(returned: Any, names: list[str]) -> Result:
    """`returned` by an objective, checked: every metric of `names` has a finite number."""
    if isinstance(returned, Result):
        return Result(metrics.finite(returned.values, names), returned.metrics, returned.derived)
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
