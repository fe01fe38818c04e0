"""An exponential moving average of a network's weights."""

from __future__ import annotations

import copy

from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from automl.contracts import State
from automl.layers.regularised import takes_auxiliary


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

    def state(self) -> State:
        """What continues the average in another process."""
        return {"model": self.model.state_dict(), "steps": self.steps}

    def load(self, state: State) -> None:
        """Continue from what `state` gave."""
        self.model.load_state_dict(state["model"])
        self.steps = state["steps"]
