"""The network below a learner's head, as a function of its parameters, for one task or many at once.

Parameters are plain dictionaries, so that a learner can adapt them, differentiate through the adaptation
and give each task its own.
"""

from __future__ import annotations

import difflib
import math

import torch
from torch import Tensor

from automl.contracts import UserError
from automl.learners.layouts import Layout, ManyTasks, OneTask, SharedWeights, Stats, Tensors
from automl.learners.networks import NETWORKS

NAMES = tuple(NETWORKS)


class Backbone:
    """A network from inputs of `shape` to `features` numbers.

    `name`: `conv4`, `resnet12` or `mlp` (see `networks.py`). Batch norms keep no running statistics: those
    of a query come from the query batch if `transductive`, else from its support set. Raises `UserError` for
    an unknown name, a shape that does not fit, or a width below 1.
    """

    def __init__(self, name: str, shape: tuple[int, ...], width: int, *, transductive: bool = False) -> None:
        network = NETWORKS.get(name)
        if network is None:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UserError(
                f"backbone must be one there is, but got {name!r}; {hint}known: {', '.join(NAMES)}"
            )
        if network.images and len(shape) != 3:
            raise UserError(
                f"inputs of {name} must be images, (channels, height, width), "
                f"but got the shape {tuple(shape)}; take the backbone mlp"
            )
        if width < 1:
            raise UserError(f"width must be at least 1, but got {width}")
        self.name = name
        self.network = network
        self.shape = tuple(shape)
        self.width = width
        self.transductive = transductive
        self.normalised = network.images
        self.shapes = network.shapes(self.shape, width)
        self.features = network.features(self.shape, width)
        self.values = network.values(self.shape, width)  # that a pass keeps of one input for its gradient

    def __repr__(self) -> str:
        return f"{self.name}-{self.width} on {'×'.join(map(str, self.shape))}"

    @property
    def names(self) -> list[str]:
        """The names of its parameters."""
        return list(self.shapes)

    def init(self, seed: int) -> Tensors:
        """Fresh parameters, float32: weights from N(0, 2 / fan-in) (He et al. 2015), scales 1, the rest 0."""
        generator = torch.Generator().manual_seed(seed)
        parameters: Tensors = {}
        for name, shape in self.shapes.items():
            if name.endswith("weight"):
                deviation = math.sqrt(2 / math.prod(shape[1:]))
                parameters[name] = deviation * torch.randn(shape, generator=generator)
            else:
                parameters[name] = torch.full(shape, 1.0 if name.endswith("scale") else 0.0)
        return parameters

    def apply(self, params: Tensors, x: Tensor, stats: Stats | None = None) -> tuple[Tensor, Stats]:
        """Features (n, features) of the inputs (n, *shape) of one task.

        `stats` are what an earlier call gave; without them each norm uses the statistics of `x`. Gives them
        too, unless `transductive`, when nobody may use them.
        """
        return self._run(params, x, OneTask(stats, keep=not self.transductive))

    def apply_tasks(self, params: Tensors, x: Tensor, stats: Stats | None = None) -> tuple[Tensor, Stats]:
        """`apply` for T tasks: parameters (T, …), inputs (T, n, *shape), features (T, n, features)."""
        return self._run(params, x, ManyTasks(len(x), stats, keep=not self.transductive))

    def apply_shared(self, params: Tensors, x: Tensor, stats: Stats | None = None) -> tuple[Tensor, Stats]:
        """`apply_tasks` for tasks that share parameters without a task dimension."""
        return self._run(params, x, SharedWeights(len(x), stats, keep=not self.transductive))

    def embed(self, params: Tensors, x: Tensor, support_x: Tensor | None = None) -> Tensor:
        """Features of `x`, in whichever of the three forms its dimensions and those of `params` ask for.

        `support_x`: the support set of which `x` is the query; it gives the statistics unless `transductive`.
        """
        stats = None
        if support_x is not None and self.normalised and not self.transductive:
            layout = self._layout(params, support_x, keep=True)
            stats = self._run(params, support_x, layout)[1]
        return self._run(params, x, self._layout(params, x, stats))[0]

    def _layout(
        self, params: Tensors, x: Tensor, stats: Stats | None = None, *, keep: bool = False
    ) -> Layout:
        if x.dim() == len(self.shape) + 1:
            return OneTask(stats, keep=keep)
        name, shape = next(iter(self.shapes.items()))
        kind = ManyTasks if params[name].dim() > len(shape) else SharedWeights
        return kind(len(x), stats, keep=keep)

    def _run(self, params: Tensors, x: Tensor, layout: Layout) -> tuple[Tensor, Stats]:
        if not self.network.images:
            x = x.flatten(-len(self.shape))
        return self.network.run(params, x, layout), layout.kept
