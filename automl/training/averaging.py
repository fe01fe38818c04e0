"""An exponential moving average of a network's weights, with separate batch-norm statistics."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import get_ema_multi_avg_fn

from automl.contracts import State
from automl.layers.regularised import takes_auxiliary

SAMPLE = 4096  # training images that the statistics are estimated from
CHUNK = 256


class Average:
    """A copy of `model`, without its auxiliary head, whose weights follow those of `model`.

    After step t (from 1): a ← d·a + (1 − d)·w with d = min(`decay`, (1 + t)/(10 + t)), so that a short
    training is not an average over its random start (the rule of TensorFlow's ExponentialMovingAverage).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.model = copy.deepcopy(model)
        if takes_auxiliary(self.model):
            self.model.auxiliary = None
        kept = dict(self.model.named_parameters())
        self._pairs = [(kept[name], weight) for name, weight in model.named_parameters() if name in kept]

    def update(self) -> None:
        """Add the weights of the model after one more step."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        averages, weights = (list(side) for side in zip(*self._pairs, strict=True))
        get_ema_multi_avg_fn(decay)(averages, weights, None)  # type: ignore[no-untyped-call]

    def estimate(self, images: Tensor) -> nn.Module:
        """The averaged network, its statistics estimated again from training images (n, C, H, W).

        The running statistics of the model belong to weights that the average never had.
        """
        reestimate(self.model, images)
        return self.model

    def state(self) -> State:
        """What continues the average in another process."""
        return {"model": self.model.state_dict(), "steps": self.steps}

    def load(self, state: State) -> None:
        """Continue from what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.steps = state["steps"]


@torch.no_grad()
def reestimate(model: nn.Module, images: Tensor) -> None:
    """Replace the running statistics of all batch-norms by the mean over batches of `images` (n, C, H, W).

    At most 4,096 images, evenly spaced, are used (Wu & Johnson 2021, arXiv:2105.07576: a few thousand do).
    All other modules are in evaluation mode (no dropout, no dropped paths), and so is `model` after it.
    """
    norms = [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
    model.eval()
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    sample = images[:: -(-len(images) // SAMPLE)]
    for batch in sample.chunk(-(-len(sample) // CHUNK)):
        model(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()
