"""Score an untrained network by a zero-cost proxy and end the trial there: what `proxy_screen` proposes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from automl.contracts import (
    PROXY,
    Builder,
    Config,
    Context,
    Evaluator,
    EvaluatorOptions,
    Result,
    Task,
)
from automl.space import Space
from automl.training import images
from automl.training.protocol import require_trainer
from automl.training.recipe import NetworkOptions
from automl.training.rehearsal import rehearse
from automl.training.screening import screen


class ProxyScoreOptions(EvaluatorOptions):
    """`proxy`: the zero-cost proxy (`automl list proxies`)."""

    proxy: str = Field(min_length=1)


class ProxyScore(Evaluator):
    """The evaluator `proxy_score`. A trial of it has no value: it ends as pruned, with its score as a metric.

    The network is built as the evaluator of the trial's arm would build it, which must train networks.
    """

    Options: ClassVar[type[EvaluatorOptions]] = ProxyScoreOptions
    example_options: ClassVar[Mapping[str, Any]] = {"proxy": "parameters"}
    needs_data: ClassVar[bool] = True
    uses_mlflow: ClassVar[bool] = False
    builder: ClassVar[Builder | None] = "network"

    options: ProxyScoreOptions

    def evaluate(self, config: Config, context: Context) -> Result:
        """The score of the untrained network. Raises `RunError` for one that is not finite."""
        proxy = self.options.proxy
        score = screen(_recipe(context.protocol), config, context, proxy)
        return Result({}, metrics={PROXY + proxy: score}, stopped=f"screened by {proxy}")

    def check_data(self, task: Task, space: Space, protocol: Evaluator) -> None:
        """Raise `UserError` unless `task` classifies images and the proxy can score networks of `space`."""
        images.require_images(task)
        rehearse(_recipe(protocol), task, space, [self.options.proxy])


def _recipe(protocol: Evaluator) -> NetworkOptions:
    return require_trainer(protocol, "a screening by a proxy").options


PLUGIN = ProxyScore
