"""A one-shot trial: search with a supernet, then train the derived network by the study's evaluator."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

from torch import nn

from automl import plugins
from automl.contracts import Context, Result, Task, UserError, derive_seed
from automl.oneshot.artifacts import write_artifacts
from automl.oneshot.options import SupernetOptions
from automl.oneshot.plan import EpochPlan
from automl.oneshot.rank import rank_check
from automl.oneshot.result import SupernetResult
from automl.oneshot.search import SupernetSearch
from automl.ranks.group import agreed
from automl.ranks.norms import synchronise
from automl.ranks.sharing import from_rank_0, synchronised
from automl.space import Space
from automl.supernets.base import Supernet, WeightSharing
from automl.training import images
from automl.training.protocol import NetworkTrainer, require_trainer
from automl.training.recipe import NetworkOptions


def search_and_train(options: SupernetOptions, context: Context) -> Result:
    """Search within the trial's budget, and train the network that was derived.

    A trial that was interrupted continues from its last checkpoint, in the search or in the training.
    Raises `UserError` for a space, task or protocol that cannot be used, and `RunError` when the budget
    cannot hold search and training, or when either diverges.
    """
    supernet_builder(context.space)
    trainer = require_trainer(context.protocol, "training a derived network")
    require_halves(context.task)
    result = _result(options, context, trainer)
    write_artifacts(result, context)
    start = time.monotonic()
    trained = trainer.train(
        result.genotype,
        context,
        first_step=result.epochs,
        carry=result.carry(),
        epoch_seconds=result.epoch_seconds,
    )
    metrics = result.metrics()
    if result.rank:
        metrics |= rank_check(result.rank, context, trainer, agreed(time.monotonic() - start))
    named = {f"search_{name}": value for name, value in metrics.items()}
    note = "; ".join(text for text in (result.note, trained.note) if text)
    return replace(trained, metrics={**trained.metrics, **named}, derived=result.genotype, note=note)


def _result(options: SupernetOptions, context: Context, trainer: NetworkTrainer) -> SupernetResult:
    """The search's result: that of the checkpoint, or of searching on from it."""
    checkpoint = context.checkpoint.load()
    finished = SupernetResult.from_checkpoint(checkpoint)
    if finished is not None:
        return finished
    with images.seeded(context.seed, context.device), synchronised(options.synchronise):
        plan = EpochPlan(context, trainer, limit=options.epochs, deadline=options.deadline)
        search = SupernetSearch(
            lambda: build_method(options, trainer.options, context), plan, options.batch_size, options
        )
        return search.run(checkpoint)


def build_method(options: SupernetOptions, recipe: NetworkOptions, context: Context) -> WeightSharing:
    """The method on a fresh supernet with the recipe's channels and cells."""
    build, task, method_options = supernet_builder(context.space), context.task, options.method_options()
    partial_channels = method_options.partial_channels
    part = {"partial": partial_channels} if partial_channels > 1 else {}
    supernet: Supernet = images.place(
        build(task.shape, task.classes, channels=recipe.channels, cells=recipe.cells, **part), context.device
    )
    module = cast(nn.Module, supernet)
    from_rank_0(module)
    if options.synchronise:
        synchronise(module)
    seed = derive_seed(context.seed, "alpha")
    return options.method_class()(method_options, supernet, space=context.space, seed=seed)


def supernet_builder(space: Space) -> Callable[..., Any]:
    """What builds the supernet of `space`. Raises `UserError` for a space without."""
    if space.supernet is not None:
        return space.supernet
    names = ", ".join(name for name in plugins.names("spaces") if plugins.load("spaces", name).supernet)
    raise UserError(f"a one-shot search needs a space that builds supernets: {names or 'none known'}")


def require_halves(task: Task) -> None:
    """Raise `UserError` unless `task` has images of classes, and enough for two halves."""
    images.require_images(task)
    if len(task.train) < 4:
        raise UserError(f"a supernet needs at least 4 training images, but got {len(task.train)}")
