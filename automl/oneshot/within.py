"""A network that keeps the constraints of its study, near the one that a supernet search has chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from automl.contracts import Bounds, Config, Context, violations
from automl.metrics import RESOURCES
from automl.space import Space
from automl.training import images, saved
from automl.training.procedure import resources
from automl.training.recipe import NetworkOptions

SCORED: Final = 16  # networks of a step, at most, whose accuracy decides


@dataclass
class Within:
    """Changes one choice after the other until bounds of what a network needs are kept.

    `needs`: what the network of a configuration needs, by metric. `score`: its accuracy by the shared
    weights, asked for while time is `left`, of `SCORED` at most in a step.
    """

    space: Space
    bounds: Mapping[str, Bounds]
    needs: Callable[[Config], Mapping[str, float]]
    score: Callable[[Config], float]
    left: Callable[[], float]
    _known: dict[str, float] = field(default_factory=dict, init=False)  # violations, by digest

    def beyond(self, config: Config) -> float:
        """The sum of all violations; 0 where all bounds are kept."""
        key = self.space.digest(config)
        if key not in self._known:
            found = violations(self.bounds, self.needs(config))
            self._known[key] = sum(one for one in found.values() if one > 0)
        return self._known[key]

    def nearest(self, config: Config) -> tuple[Config, int]:
        """`config` with as many choices changed as it takes, and how many that are.

        Each step takes, of the changes that come nearer to the bounds, the one that loses least accuracy for
        what it gains; of those that keep them, the most accurate one. It ends beyond them where no change of
        one choice comes nearer.
        """
        steps = 0
        while (beyond := self.beyond(config)) > 0:
            near = [(self.beyond(other), other) for other in self.space.neighbours(config)]
            near = [(left, other) for left, other in near if left < beyond]
            if not near:
                break
            kept = [(left, other) for left, other in near if left == 0]
            config, steps = self._chosen(config, beyond, kept or near), steps + 1
        return config, steps

    def _chosen(self, config: Config, beyond: float, near: list[tuple[float, Config]]) -> Config:
        """Without time for accuracies the one that is nearest to the bounds."""
        near = sorted(near, key=lambda one: one[0])
        near = [near[place * len(near) // SCORED] for place in range(SCORED)] if len(near) > SCORED else near
        before = self.score(config) if self.left() > 0 else 0.0
        best, chosen = None, near[0][1]
        for left, other in near:
            if self.left() <= 0:
                break
            gain = 1.0 if left == 0 else beyond - left
            worth = (self.score(other) - before) / gain
            if best is None or worth > best:
                best, chosen = worth, other
        return chosen


def bounded(context: Context) -> dict[str, Bounds]:
    """The constraints that say what a network may need."""
    return {name: bounds for name, bounds in context.constraints.items() if name in RESOURCES}


def needs_of(context: Context, recipe: NetworkOptions) -> Callable[[Config], dict[str, float]]:
    """What the untrained network of a configuration needs, as its trial would measure it."""
    image = images.to_device(context.task.validation, context.device).x[:1]
    names = list(bounded(context))

    def needs(config: Config) -> dict[str, float]:
        with images.seeded(context.seed, context.device):
            model = saved.build_network(context.space, config, context.task, recipe.adjusted(config))
            return resources(images.place(model, context.device), image, names)

    return needs
