"""The one way to train a network from scratch: epochs, reports, checkpoints, the metrics at its end."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from automl import metrics
from automl.contracts import Config, Context, Result
from automl.ranks.group import agreed
from automl.training import images, saved, zero_cost
from automl.training.fit import Fit
from automl.training.images import Images
from automl.training.recipe import NetworkOptions, without_auxiliary


def train_network(
    config: Config,
    context: Context,
    options: NetworkOptions,
    *,
    first_step: int = 0,
    carry: Mapping[str, Any] | None = None,
    epoch_seconds: float | None = None,
) -> Result:
    """Train the network of `config` (in `context.space`) by the protocol `options`; the one way to do it.

    Epoch e is reported as step `first_step + e`. Each checkpoint holds `carry` under that key, for
    an evaluator whose search came before (its steps are those up to `first_step`); a training
    that was interrupted goes on from its last checkpoint and ends bit for bit as if it had not
    been. With `context.final` the model is left in `<workdir>/model`.

    `epoch_seconds`: expected wall seconds of one epoch, for a training that must end inside what is left of
    the budget, because its only value comes at its end. It then has fewer epochs where not all fit, annealed
    over those, and ends early on a machine that becomes slower, within an epoch if need be; at least one
    batch is trained. So does a training whose search has no value yet (`context.needs_value`) once the budget
    is used up. The metric `epochs` and the result's note say how many, when they are fewer than asked for.

    Raises `RunError` when the loss stops being finite, `TrialStopped` from a report.
    """
    options = options.adjusted(config)
    asked, options = options.epochs, shortened(options, context, epoch_seconds)
    images.require_images(context.task)
    names = [metric.name for metric in context.metrics]
    with images.seeded(context.seed, context.device):
        fit = Fit.start(config, context, options)
        with without_auxiliary(fit.model):
            needs = resources(fit.model, fit.data.x[:1], list(context.constraints))
        context.measured(**needs)
        logged = {} if context.final else zero_cost.log(fit.model, context, options)
        validation = images.to_device(context.task.validation, context.device)
        done = fit.resume(context.checkpoint.load(), first_step)
        must_end = epoch_seconds is not None or context.needs_value
        spent = (lambda: context.remaining <= 0) if must_end else None
        epoch, trained, ended = done, float(done), time.monotonic()
        while epoch < options.epochs:
            epoch, started = epoch + 1, ended
            trained = epoch - 1 + fit.train_epoch(epoch, spent)
            with fit.trained(epoch) as model:
                values = measure(model, validation, names, extra=("log_loss",))
            if must_end and context.remaining <= 0:
                break  # a report would end the trial without a value
            others = {name: value for name, value in values.items() if name != names[0]}
            context.report(first_step + epoch, values[names[0]], train_loss=fit.loss, **others)
            if epoch % options.checkpoint_every == 0 or epoch == options.epochs:
                context.checkpoint.save(first_step + epoch, {**fit.state(), "carry": dict(carry or {})})
            ended = time.monotonic()
            if must_end and not _fits(agreed(ended - started), context):
                break
        with fit.trained(epoch) as model:
            extra = ("log_loss", "accuracy", *(name for name in context.constraints if name not in needs))
            values = measure(model, validation, names, extra=extra)
            values["parameters"] = float(images.count_parameters(model))
            if context.final:
                saved.save_network(model, config, context, options)
    others = {name: value for name, value in values.items() if name not in names}
    note = f"the budget left time for {trained:.3g} of {asked} epochs of training" if trained < asked else ""
    logged |= {"train_loss": fit.loss, "epochs": trained} if note else {"train_loss": fit.loss}
    return Result(metrics.finite(values, names), {**others, **logged}, note=note)


def shortened(options: NetworkOptions, context: Context, epoch_seconds: float | None) -> NetworkOptions:
    """`options` with as many epochs as fit into what is left, at least one; None: with all of them."""
    if epoch_seconds is None or not math.isfinite(context.remaining):
        return options
    fitting = int(context.remaining / (epoch_seconds * context.devices))
    return options.model_copy(update={"epochs": max(1, min(options.epochs, fitting))})


def _fits(seconds: float, context: Context) -> bool:
    """Whether at least half of another epoch of so many wall seconds fits into what is left."""
    return context.remaining >= seconds * context.devices / 2


def seconds_per_epoch(
    config: Config, context: Context, options: NetworkOptions, *, batches: int = 3
) -> float:
    """Wall seconds that one epoch of `config` with its validation takes, from timing a few batches."""
    options = options.adjusted(config)
    device = torch.device(context.device)
    with images.seeded(context.seed, context.device):
        fit = Fit.start(config, context, options)
        fit.set_drop_path(options.drop_path)
        parts = images.batches(len(fit.data.y), options.batch_size, context.device)
        timed = parts[1 : 1 + batches] or parts[:1]
        fit.train_batches(parts[:1], lambda _: 0.0)
        start = images.clock(device)
        fit.train_batches(timed, lambda _: 0.0)
        trained = images.clock(device)
        with fit.trained(0) as model:
            estimated = images.clock(device)
            sample = fit.data.x[: options.batch_size]
            images.predict(model, sample)
            predicted = images.clock(device)
    validation = (predicted - estimated) / len(sample) * len(context.task.validation)
    return agreed((trained - start) / len(timed) * len(parts) + (estimated - trained) + validation)


def resources(model: nn.Module, image: Tensor, names: Sequence[str]) -> dict[str, float]:
    """What a forward pass of `image`, (1, C, H, W), needs, of the metrics `names`; no weight changes."""
    values: dict[str, float] = {}
    if "parameters" in names:
        values["parameters"] = float(images.count_parameters(model))
    if "flops" in names:
        values["flops"] = float(images.count_flops(model, image))
    if "latency" in names:
        values["latency"] = images.measure_latency(model, image)
    if "model_size" in names:
        values["model_size"] = float(images.count_bytes(model))
    return values


def measure(
    model: nn.Module, data: Images, names: Sequence[str], *, extra: Sequence[str] = ()
) -> dict[str, float]:
    """Metrics of `model` on `data`: those of predictions and the resources among `names`, and `extra`."""
    values = resources(model, data.x[:1], names)
    predicted = [name for name in dict.fromkeys((*names, *extra)) if name not in metrics.RESOURCES]
    return values | metrics.score(predicted, data.y.cpu().numpy(), images.predict(model, data.x))
