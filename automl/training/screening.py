"""Trials that only score an untrained network by a zero-cost proxy."""

from __future__ import annotations

import math

from automl.contracts import PROXY, Config, Context, RunError
from automl.training import images, saved, zero_cost
from automl.training.recipe import NetworkOptions


def screen(options: NetworkOptions, config: Config, context: Context, proxy: str) -> float:
    """The proxy of the untrained network of `config`, built as the recipe `options` says.

    Raises `RunError` for a score that is not finite.
    """
    options = options.adjusted(config)
    images.require_images(context.task)
    with images.seeded(context.seed, context.device):
        network = saved.build_network(context.space, config, context.task, options)
        images.place(network, context.device)
        batch = zero_cost.training_batch(context, options.batch_size)
        score = zero_cost.scores(network, [proxy], batch)[PROXY + proxy]
    if not math.isfinite(score):
        raise RunError(f"the score of a proxy must be finite, but {proxy} is {score}; choose another proxy")
    return score
