"""Search with one weight-sharing supernet, then train the derived network from scratch.

The trial's value is that of the derived network, trained by the study's evaluator; the supernet's accuracy
is never reported as a value. Search and training share one budget: after every epoch the number of search
epochs is planned again from what is left.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

from automl.contracts import (
    Builder,
    Config,
    Context,
    Evaluator,
    EvaluatorOptions,
    Metric,
    Result,
    Split,
    Task,
    TaskOutline,
)
from automl.oneshot.evaluation import require_halves, search_and_train
from automl.oneshot.options import SupernetOptions
from automl.ranks.sharing import FEWEST
from automl.space import Choice, Space
from automl.training.protocol import MEASURED, score_saved


class Supernet(Evaluator):
    """The evaluator `supernet`: a one-shot search, whose result is a genotype and its trained value."""

    Options: ClassVar[type[EvaluatorOptions]] = SupernetOptions
    example_options: ClassVar[Mapping[str, Any]] = {"epochs": 2, "batch_size": 8}
    needs_data: ClassVar[bool] = True
    uses_mlflow: ClassVar[bool] = False
    leaves: ClassVar[Literal["network", "learner"] | None] = "network"
    builder: ClassVar[Builder | None] = "supernet"
    one_shot: ClassVar[bool] = True
    returns_early: ClassVar[bool] = True

    options: SupernetOptions

    def evaluate(self, config: Config, context: Context) -> Result:
        """Search the whole space, then train the derived network. `config` is not used."""
        return search_and_train(self.options, context)

    def measures(self) -> Collection[str]:
        """Those of the derived network."""
        return MEASURED

    def most_ranks(self) -> int | None:
        """A batch can be divided into pairs of images."""
        return self.options.batch_size // FEWEST

    def check_data(self, task: Task, space: Space, protocol: Evaluator) -> None:
        """Raise `UserError` unless `task` has images of classes, and enough for two halves."""
        require_halves(task)

    def mistakes(self, space: Space, task: TaskOutline) -> list[tuple[str, str]]:
        """A limit on skip connections needs a space that has some."""
        limit = self.options.alarms.skips if "skips" in self.options.alarms.model_fields_set else None
        choices = [item.options for item in space.parameters.values() if isinstance(item, Choice)]
        if limit is None or any("skip_connect" in options for options in choices):
            return []
        text = (
            f"must be left out for a space without the operation skip_connect, but got {limit}; "
            "remove it or take another space"
        )
        return [("alarms.skips", text)]

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the trained network in the folder `model`."""
        return score_saved(model, data, metrics)


PLUGIN = Supernet
