"""The evaluator of objectives that only this process has: of a script, a notebook cell, a lambda."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

from pydantic import Field

from automl.contracts import Config, Context, Evaluator, EvaluatorOptions, Json, Result, UserError, digest
from automl.evaluators.function import as_result, with_context

_functions: dict[str, Callable[..., Any]] = {}  # of this process, by the digest of what they are made of


class GivenOptions(EvaluatorOptions):
    """`name`, `source` of the function; `uses`: what it uses of its file, by name."""

    name: str
    source: str
    uses: dict[str, str] = Field(default={})


class Given(Evaluator):
    """Calls a function of this process. Raises `UserError` where it has not been given."""

    Options: ClassVar[type[EvaluatorOptions]] = GivenOptions
    reruns_without_data: ClassVar[bool] = True

    options: GivenOptions

    def __init__(self, options: EvaluatorOptions) -> None:
        super().__init__(options)
        assert isinstance(options, GivenOptions)
        key = digest({"name": options.name, "source": options.source, "uses": options.uses})
        if key not in _functions:
            raise UserError(
                f"the objective {options.name!r} was a function of a program or notebook, which another "
                "process cannot import, but this one has not defined it; run that program again, or put the "
                "function into a module and name it as module:function"
            )
        self._function = _functions[key]

    def evaluate(self, config: Config, context: Context) -> Result:
        """What the function returned, as for an objective that is imported."""
        returned = with_context(self._function)(config, context)
        return as_result(returned, [metric.name for metric in context.metrics])


def provide(options: Json, function: Callable[..., Any]) -> None:
    """Let studies with these options find the function in this process."""
    _functions[digest(options)] = function


EVALUATOR: Final = f"{__name__}:{Given.__name__}"
