"""RS-WS: random search with weight sharing: train random paths, then take the best of many random ones.

Li & Talwalkar 2019, https://arxiv.org/abs/1902.07638. Each step trains the weights of one configuration drawn
uniformly from the space. Then 1,000 random configurations are scored by their validation accuracy with the
shared weights, and the best one wins. (The paper scores on one batch and confirms its ten best on all
batches; here each is scored on all, after its batch-norm statistics were estimated again.)
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from automl.contracts import Config
from automl.supernets.base import SearchOptions, Selection
from automl.supernets.single_path import SinglePath
from automl.supernets.timed import Timed


class RsWsOptions(SearchOptions):
    """`samples`: how many random configurations are scored, if time allows."""

    samples: int = Field(1000, ge=1)


class RsWs(SinglePath):
    """Random search over paths of a supernet trained on random paths."""

    Options: ClassVar[type[SearchOptions]] = RsWsOptions
    options: RsWsOptions
    selection: ClassVar[float] = 0.3

    def select(self, selection: Selection) -> Config:
        """The best of the random configurations that time allowed to score."""
        timed = Timed(selection)
        best, highest = selection.space.sample(selection.rng), float("-inf")
        config = best
        for _ in range(self.options.samples):
            accuracy = timed.accuracy(self.path(config))
            if accuracy is None:
                break
            if accuracy > highest:
                best, highest = config, accuracy
            config = selection.space.sample(selection.rng)
        self.selected = {"paths_scored": timed.scored}
        if timed.scored:
            self.selected["path_accuracy"] = highest
        return best


PLUGIN = RsWs
