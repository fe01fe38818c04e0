"""Zero-cost proxies of untrained networks, logged with a trial."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from automl import plugins
from automl.contracts import PROXY, Context, Split, UserError, derive_seed
from automl.training import images
from automl.training.recipe import NetworkOptions, without_auxiliary


def log(network: nn.Module, context: Context, options: NetworkOptions) -> dict[str, float]:
    """`proxy_<name>` of the proxies that the training's options name; see `scores`."""
    if options.proxies == []:
        return {}
    with without_auxiliary(network):
        return scores(network, options.proxies, training_batch(context, options.batch_size))


def scores(network: nn.Module, names: Sequence[str] | None, batch: tuple[Tensor, Tensor]) -> dict[str, float]:
    """`proxy_<name>` of each proxy on `network`; neither it nor torch's generators change.

    `names` None: the cheap ones that can score this network. Raises `UserError` for a name that
    is unknown, or whose layer the network lacks.
    """
    values = {}
    with torch.random.fork_rng([batch[0].device] if batch[0].is_cuda else []):
        for name in cheap_names() if names is None else names:
            try:
                values[PROXY + name] = float(plugins.load("proxies", name).score(network, batch))
            except Exception:  # a network of any kind can be trained
                if names is not None:
                    raise
    return values


def cheap_names() -> list[str]:
    """The proxies that are logged by default; a plug-in file that cannot be loaded is not among them."""
    names = []
    for name in plugins.names("proxies"):
        try:
            if plugins.load("proxies", name).cheap:
                names.append(name)
        except UserError:  # its error is raised where a study names it
            continue
    return names


def training_batch(context: Context, size: int) -> tuple[Tensor, Tensor]:
    """`size` images and labels of the training data, the same ones for every trial of a task."""
    data = context.task.train
    generator = torch.Generator().manual_seed(derive_seed("proxies"))
    chosen = torch.randperm(len(data), generator=generator)[:size].numpy()
    batch = images.to_device(Split(data.x[chosen], data.y[chosen]), context.device)
    return batch.x, batch.y
