"""Zero-cost proxies of untrained networks: logged with a trial, or all there is to a screening."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from automl import plugins
from automl.contracts import PROXY, Config, Context, RunError, Split, UserError, derive_seed
from automl.training import images, saved
from automl.training.recipe import NetworkOptions, without_auxiliary

CHEAP = ("parameters", "synflow", "naswot")  # a few training steps; counting flops loads 3 s of code first


def log(network: nn.Module, context: Context, options: Any) -> dict[str, float]:
    """`proxy_<name>` of the proxies that `options` of the evaluator `network` name; see `scores`."""
    if options.proxies == []:
        return {}
    with without_auxiliary(network):
        return scores(network, options.proxies, training_batch(context, options.batch_size))


def scores(network: nn.Module, names: Sequence[str] | None, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
    """`proxy_<name>` of each proxy on `network`; neither it nor torch's generators change.

    `names` None: the cheap ones that can score this network. Raises `UserError` for a name that
    is unknown, or whose layer the network lacks.
    """
    found = {}
    with torch.random.fork_rng([batch[0].device] if batch[0].is_cuda else []):
        for name in CHEAP if names is None else names:
            try:
                found[PROXY + name] = float(plugins.load("proxies", name)(network, batch))
            except (UserError, RuntimeError, TypeError):  # a network of any kind can be trained
                if names is not None:
                    raise
    return found


def training_batch(context: Context, size: int) -> tuple[Tensor, Tensor]:
    """`size` images and labels of the training data, the same ones for every trial of a task."""
    data = context.task.train
    generator = torch.Generator().manual_seed(derive_seed("proxies"))
    chosen = torch.randperm(len(data), generator=generator)[:size].numpy()
    batch = images.to_device(Split(data.x[chosen], data.y[chosen]), context.device)
    return batch.x, batch.y


def screen(options: NetworkOptions, config: Config, context: Context, proxy: str) -> float:
    """The proxy of the untrained network of `config`, built as the recipe `options` says.

    Raises `RunError` for a score that is not finite.
    """
    options = options.adjusted(config)
    images.require_images(context.task)
    with images.seeded(context.seed, context.device):
        network = saved.builder_of(context.space)(
            config, context.task.shape, context.task.classes, channels=options.channels, cells=options.cells
        )
        network = images.place(network, context.device)
        value = scores(network, [proxy], training_batch(context, options.batch_size))[PROXY + proxy]
    if not math.isfinite(value):
        raise RunError(f"the score of a proxy must be finite, but {proxy} is {value}; choose another proxy")
    return value
