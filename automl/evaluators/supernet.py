"""Search with one weight-sharing supernet, then train the derived network from scratch.

The trial's value is that of the derived network, trained by the study's own protocol (its evaluator
`network`); the supernet's accuracy is never reported as a value. Search and training share one budget: the
number of search epochs is planned anew after every epoch from what is left.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict, Field, ValidationError, model_validator

from automl import contracts, plugins
from automl.contracts import Config, Context, Metric, Result, Split, Task, UserError
from automl.evaluators import training
from automl.evaluators.network import Network, NetworkOptions, train_network
from automl.evaluators.supernet_search import Plan, Search, build_method
from automl.supernets.base import SearchOptions, WeightSharing


class SupernetOptions(contracts.Options):
    """The weight-sharing method by name; all other options are the method's own.

    `epochs`: at most so many search epochs; without it, as many as the budget holds beside the training.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    method: str = "darts"
    epochs: int | None = Field(None, ge=1)
    batch_size: int = Field(64, ge=2)
    deadline: float = Field(3600, gt=0)

    @model_validator(mode="after")
    def _check_method(self) -> SupernetOptions:
        try:
            self.method_options()
        except UserError as error:
            raise ValueError(str(error)) from error
        return self

    def method_options(self) -> SearchOptions:
        """The options of the method. Raises `UserError` for an unknown method or option."""
        method = plugins.load("supernets", self.method)
        try:
            options: SearchOptions = method.Options.model_validate(self.model_extra or {})
        except ValidationError as error:
            mistakes = [
                f"{'.'.join(map(str, item['loc']))}: {item['msg']}, but got {item['input']!r}"
                for item in error.errors()
            ]
            known = [*SupernetOptions.model_fields, *method.Options.model_fields]
            raise UserError(f"{'; '.join(mistakes)}; known options: {', '.join(known)}") from error
        return options


class Supernet:
    """The evaluator `supernet`: a one-shot search, whose result is a genotype and its trained value."""

    Options: ClassVar[type[contracts.Options]] = SupernetOptions
    needs_data: ClassVar[bool] = True
    builder: ClassVar[Literal["network", "supernet"] | None] = "supernet"
    one_shot: ClassVar[bool] = True

    def __init__(self, options: SupernetOptions) -> None:
        self.options = options

    def evaluate(self, config: Config, context: Context) -> Result:
        """Search, then train what was found. `config` is not used: the method searches the whole space.

        Raises `UserError` for a space, task or protocol it cannot use, and `RunError` when the budget
        cannot hold the search and the training, or when either diverges.
        """
        protocol = check_study(context)
        saved = context.checkpoint.load()
        found = (saved[1].get("carry") or {}).get("found") if saved else None
        if found is None:
            with training.seeded(context.seed, context.device):
                found = self._search(protocol, context, saved)
        write_artifacts(found, context)
        genotype = found["genotype"]
        result = train_network(
            genotype, context, protocol, first_step=found["epochs"], carry={"found": found}
        )
        searched = {name: float(found[name]) for name in ("epochs", "seconds", "entropy", "skips")}
        metrics = {f"search_{name}": value for name, value in searched.items()}
        return replace(result, metrics={**result.metrics, **metrics}, derived=genotype)

    def _search(
        self, protocol: NetworkOptions, context: Context, saved: tuple[int, dict[str, Any]] | None
    ) -> dict[str, Any]:
        options, method = self.options, plugins.load("supernets", self.options.method)

        def build() -> WeightSharing:
            return build_method(method, options.method_options(), protocol, context)

        plan = Plan(context, protocol, limit=options.epochs, deadline=options.deadline)
        return Search(build, plan, options.batch_size).run(saved)

    def score(self, model: Path, task: Task, data: Split, metrics: list[Metric]) -> dict[str, float]:
        """Metrics on `data` of the trained network in the folder `model`."""
        return Network(NetworkOptions.model_validate({})).score(model, task, data, metrics)


def check_study(context: Context) -> NetworkOptions:
    """The protocol's options. Raises `UserError` unless space, protocol and data suit a supernet."""
    if getattr(context.space, "supernet", None) is None:
        names = ", ".join(name for name in plugins.names("spaces") if plugins.load("spaces", name).supernet)
        raise UserError(
            f"the evaluator supernet needs a space that builds supernets: {names or 'none known'}"
        )
    if not isinstance(context.protocol, Network):
        raise UserError(
            "a derived network is trained by the study's evaluator, which must be network, but it is "
            f"{type(context.protocol).__name__.lower()}"
        )
    training.require_images(context.task)
    if len(context.task.train) < 4:
        raise UserError(f"a supernet needs at least 4 training images, but got {len(context.task.train)}")
    return context.protocol.options


def write_artifacts(found: dict[str, Any], context: Context) -> None:
    """The genotype, and the strengths and what else was seen after each epoch, as JSON."""
    for name, data in (("genotype.json", found["genotype"]), ("strengths.json", found["history"])):
        context.artifact(name).write_text(json.dumps(data, indent=1), encoding="utf-8")


PLUGIN = Supernet
