"""Search with one weight-sharing supernet, then train the derived network from scratch.

The trial's value is that of the derived network, trained by the study's own protocol (its evaluator
`network`); the supernet's accuracy is never reported as a value. Search and training share one budget: the
number of search epochs is planned anew after every epoch from what is left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict, Field, ValidationError, model_validator

from automl import plugins
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
    UserError,
)
from automl.evaluators.network import Network
from automl.oneshot.monitor import HealthOptions
from automl.oneshot.plan import Plan
from automl.oneshot.rank import rank_check
from automl.oneshot.search import Search, build_method
from automl.space import Choice, Space
from automl.supernets.base import SearchOptions, WeightSharing
from automl.training import images
from automl.training.procedure import train_network
from automl.training.recipe import NetworkOptions


class SupernetOptions(HealthOptions):
    """The weight-sharing method by name, and what watches over it; all other options are the method's own.

    `epochs`: at most so many search epochs; without it, as many as the budget holds beside the images.
    `eigenvalue_every`, `eigenvalue_batch`: epochs between two readings of the Hessian's largest eigenvalue
    (and of the discretisation gap), and images behind it. `alarms`, `on_collapse`: when a search counts as
    collapsed, and what then happens. `rank_check`: so many random networks are trained too, at the end.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    method: str = "darts"
    epochs: int | None = Field(None, ge=1)
    batch_size: int = Field(64, ge=2)

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
            own = [*SupernetOptions.__annotations__, *HealthOptions.model_fields]
            known = [name for name in (*own, *method.Options.model_fields) if name != "model_config"]
            raise UserError(f"{'; '.join(mistakes)}; known options: {', '.join(known)}") from error
        return options


class Supernet(Evaluator):
    """The evaluator `supernet`: a one-shot search, whose result is a genotype and its trained value."""

    Options: ClassVar[type[EvaluatorOptions]] = SupernetOptions
    needs_data: ClassVar[bool] = True
    builder: ClassVar[Builder | None] = "supernet"
    one_shot: ClassVar[bool] = True

    options: SupernetOptions

    def evaluate(self, config: Config, context: Context) -> Result:
        """Search, then train what was found. `config` is not used: the method searches the whole space.

        Raises `UserError` for a space, task or protocol it cannot use, and `RunError` when the budget
        cannot hold the search and the training, or when either diverges.
        """
        protocol = check_study(context)
        self.check_data(context.task, context.space, context.protocol)
        saved = context.checkpoint.load()
        found = (saved[1].get("carry") or {}).get("found") if saved else None
        if found is None:
            with images.seeded(context.seed, context.device):
                found = self._search(protocol, context, saved)
        write_artifacts(found, context)
        genotype, start = found["genotype"], time.monotonic()
        result = train_network(
            genotype, context, protocol, first_step=found["epochs"], carry={"found": found}
        )
        metrics = search_metrics(found)
        if found["rank"]:
            metrics |= rank_check(found["rank"], context, protocol, time.monotonic() - start)
        named = {f"search_{name}": value for name, value in metrics.items()}
        return replace(result, metrics={**result.metrics, **named}, derived=genotype)

    def _search(
        self, protocol: NetworkOptions, context: Context, saved: tuple[int, dict[str, Any]] | None
    ) -> dict[str, Any]:
        options, method = self.options, plugins.load("supernets", self.options.method)

        def build() -> WeightSharing:
            return build_method(method, options.method_options(), protocol, context)

        plan = Plan(context, protocol, limit=options.epochs, deadline=options.deadline)
        return Search(build, plan, options.batch_size, options).run(saved)

    def check_data(self, task: Task, space: Space, protocol: Evaluator) -> None:
        """Raise `UserError` unless `task` has images of classes, and enough for two halves."""
        images.require_images(task)
        if len(task.train) < 4:
            raise UserError(f"a supernet needs at least 4 training images, but got {len(task.train)}")

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
        return Network(NetworkOptions.model_validate({})).score(model, task, data, metrics)


def check_study(context: Context) -> NetworkOptions:
    """The protocol's options. Raises `UserError` unless space and protocol suit a supernet."""
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
    return context.protocol.options


def search_metrics(found: Mapping[str, Any]) -> dict[str, float]:
    """What was found in numbers: cost, the chosen network, which alarms rang after which epoch."""
    verdict = found["verdict"]
    names = ("epochs", "seconds", "selection_seconds", "health_seconds", "skips")
    metrics: dict[str, float] = {name: float(found[name]) for name in names} | found["selected"]
    metrics["collapsed"] = float(verdict["collapsed"])
    metrics |= {f"alarm_{rule}": float(epoch) for rule, epoch in verdict["alarms"].items()}
    if "entropy" in found["history"][-1]:
        metrics["entropy"] = found["history"][-1]["entropy"]
    if verdict["collapsed"]:
        metrics["collapse_epoch"] = float(verdict["epoch"])
        metrics["stopped"] = float(verdict["action"] != "warn")
    if "rollback" in verdict:
        metrics["rollback_epoch"] = float(verdict["rollback"])
    return metrics


def write_artifacts(found: Mapping[str, Any], context: Context) -> None:
    """As JSON: the genotype, the strengths after each epoch, and what else was seen and decided."""
    named = {"edges": found["edges"], "operations": found["operations"]}
    epochs = [{"epoch": e["epoch"], "strengths": e.get("strengths", [])} for e in found["history"]]
    seen = [{key: e[key] for key in e if key != "strengths"} for e in found["history"]]
    health = {key: found[key] for key in ("verdict", "selected", "rank")} | {"epochs": seen}
    files = {"genotype": found["genotype"], "strengths": {**named, "epochs": epochs}, "health": health}
    for name, data in files.items():
        context.artifact(f"{name}.json").write_text(json.dumps(data, indent=1), encoding="utf-8")


PLUGIN = Supernet
