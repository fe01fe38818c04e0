"""What a study asks of its networks, tried on one of them before any trial runs."""

from __future__ import annotations

import random
import traceback
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parameter import is_lazy

from automl.contracts import Config, Split, Task, UserError
from automl.space import Space
from automl.training import images, saved, zero_cost
from automl.training.recipe import NetworkOptions, equip

SCORED = 16  # images, of the training data
STEP = 4  # images of the one step that is tried
CONFIGS = 3  # of which one must work: some configurations of a space may fail
LINES = 12  # of a traceback


def rehearse(options: NetworkOptions, task: Task, space: Space, names: Sequence[str]) -> None:
    """Raise `UserError` when networks of `space` cannot take a step, follow `options`, or be scored.

    The default network is tried, and when it fails two others: trials fail one by one when one of them works.
    """
    config = space.default_config()
    options = options.adjusted(config)
    saved.builder_of(space)
    with images.seeded(0, "cpu"):
        network = _working(space, config, task, options)
        if network is None:
            return
        equip(network, options, task.shape, task.classes)
        for name in names:
            _check_score(network, name, images.to_device(_first(task, SCORED), "cpu"))


def _working(space: Space, config: Config, task: Task, options: NetworkOptions) -> nn.Module | None:
    """The network of `config` after it has taken a step; None when it cannot, but another one can."""
    rng = random.Random(0)
    failure: UserError | None = None
    for attempt in range(CONFIGS):
        tried = space.sample(rng) if attempt else config
        try:
            network = saved.build_network(space, tried, task, options)
            _take_a_step(network, task)
        except UserError as error:
            failure = failure or error
        except Exception as error:
            failure = failure or _refusal(space, tried, task, error)
        else:
            return None if attempt else network
    assert failure is not None, "no network worked"
    raise failure


def _take_a_step(network: nn.Module, task: Task) -> None:
    """Forward and backward pass. Raises `TypeError` for what is no network, or gives no logits."""
    if not isinstance(network, nn.Module):
        raise TypeError(f"a builder must return a torch module, but returned a {type(network).__name__}")
    if any(is_lazy(parameter) for parameter in network.parameters()):
        raise TypeError("layers must know their sizes, but some are lazy (nn.Lazy…); give their sizes")
    batch = images.to_device(_first(task, STEP), "cpu")
    logits = network.train()(batch.x)
    wanted = (len(batch.y), task.classes)
    if not isinstance(logits, Tensor) or (task.classes and tuple(logits.shape) != wanted):
        found = tuple(logits.shape) if isinstance(logits, Tensor) else f"a {type(logits).__name__}"
        raise TypeError(f"forward must return logits, a tensor of shape {wanted}, but returned {found}")
    if task.classes and any(parameter.requires_grad for parameter in network.parameters()):
        torch.autograd.backward(cross_entropy(logits, batch.y))


def _first(task: Task, count: int) -> Split:
    return Split(task.train.x[:count], task.train.y[:count])


def _refusal(space: Space, config: Config, task: Task, error: Exception) -> UserError:
    builder = saved.builder_of(space)
    lines = [line for part in traceback.format_exception(error) for line in part.splitlines()]
    trace = "\n".join(["", "  …", *lines[-LINES:]])
    if traceback.extract_tb(error.__traceback__)[-1].filename == __file__:
        trace = ""  # the error says it all
    return UserError(
        f"networks of the space must be able to run on images of the task (shape {task.shape}, "
        f"{task.classes} classes), but that of {builder.__module__}:{builder.__qualname__} for {config} "
        f"raised {type(error).__name__}: {error}; correct the network{trace}"
    )


def _check_score(network: nn.Module, name: str, batch: images.Images) -> None:
    try:
        zero_cost.scores(network, [name], (batch.x, batch.y))
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"the proxy {name} must be able to score the networks of the space, but for a "
            f"{type(network).__name__} it raised {error!r}; choose another (automl list proxies)"
        ) from error
