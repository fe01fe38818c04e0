"""The contract of evaluators: plug-ins that say how good a configuration is."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol

from automl.contracts.basics import Config, Metric, Options
from automl.contracts.context import Context, Result
from automl.contracts.data import Split, Task


class Evaluator(Protocol):
    """Says how good a configuration is. A plug-in is a class taking its validated `Options`.

    `needs_data`: the study must name a dataset. `builder`: what the space must build for it.
    `one_shot`: it searches the whole space in a single trial and returns a `derived` configuration.
    """

    Options: ClassVar[type[Options]]
    needs_data: ClassVar[bool]
    builder: ClassVar[Literal["network", "supernet"] | None]
    one_shot: ClassVar[bool]

    def evaluate(self, config: Config, context: Context) -> Result:
        """Evaluate `config`; may report, checkpoint and write artifacts on the way."""

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the model that a `final` evaluation left in the folder `model`."""


class Tabular(Evaluator, Protocol):
    """An evaluator that looks its values and costs up: its trials can be replayed on a simulated clock.

    A plug-in with a true `simulated` is taken for one.
    """

    simulated: ClassVar[bool]

    def mistakes(self, space: Any, metrics: list[Metric]) -> list[tuple[str, str]]:
        """What keeps its options from serving `space` (an `automl.space.Space`): (option, text) pairs."""

    def fresh(self, config: Config) -> list[float]:
        """Fresh-seed validation values of a configuration."""
