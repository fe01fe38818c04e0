"""The networks below a learner's head, as functions of their parameters: `conv4`, `resnet12` (small), `mlp`.

Parameters are plain dictionaries, so that a learner can adapt them, differentiate through the adaptation
and give each task its own.
"""

from __future__ import annotations

import difflib
import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from automl.contracts import UserError
from automl.learners.layouts import Layout, ManyTasks, OneTask, SharedWeights, Stats, Tensors, linear

NAMES = ("conv4", "resnet12", "mlp")
BLOCKS = 4
HIDDEN = 2  # hidden layers of `mlp`
SLOPE = 0.1  # of resnet12's leaky ReLU


class Backbone:
    """A network from inputs of `shape` to `features` numbers.

    - `conv4` (Vinyals et al. 2016, https://arxiv.org/abs/1606.04080): four blocks of 3×3 convolution to
      `width` channels, batch norm, ReLU, 2×2 max-pooling.
    - `resnet12` (Oreshkin et al. 2018, https://arxiv.org/abs/1805.10123), small: four residual blocks of
      three 3×3 convolutions to width, 2·width, 4·width, 8·width channels; the mean over the pixels comes out.
    - `mlp` (Finn et al. 2017, https://arxiv.org/abs/1703.03400): two hidden layers of `width` units, ReLU.

    Images smaller than 16×16 are pooled until one pixel is left. Batch norms keep no running statistics: with
    `transductive` those of a query come from the query batch, else from its support set. Raises `UserError`
    for an unknown name, a shape that does not fit, or a width below 1.
    """

    def __init__(self, name: str, shape: tuple[int, ...], width: int, *, transductive: bool = False) -> None:
        if name not in NAMES:
            near = difflib.get_close_matches(name, NAMES, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise UserError(
                f"backbone must be one there is, but got {name!r}; {hint}known: {', '.join(NAMES)}"
            )
        if name != "mlp" and len(shape) != 3:
            raise UserError(
                f"inputs of {name} must be images, (channels, height, width), "
                f"but got the shape {tuple(shape)}; take the backbone mlp"
            )
        if width < 1:
            raise UserError(f"width must be at least 1, but got {width}")
        self.name = name
        self.shape = tuple(shape)
        self.width = width
        self.transductive = transductive
        self.normalised = name != "mlp"
        self.shapes = self._shapes()
        self.features, self.values = self._sizes()

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
        network: Callable[[Tensors, Tensor, Layout], Tensor] = getattr(self, f"_{self.name}")
        return network(params, x, layout), layout.found

    def _mlp(self, params: Tensors, x: Tensor, _layout: Layout) -> Tensor:
        x = x.flatten(-len(self.shape))
        for layer in range(HIDDEN):
            x = functional.relu(linear(x, params[f"{layer}.weight"], params[f"{layer}.bias"]))
        return x

    def _conv4(self, params: Tensors, x: Tensor, layout: Layout) -> Tensor:
        x = layout.enter(x)
        for block in range(BLOCKS):
            x = functional.relu(_pool(self._unit(params, str(block), x, layout)))  # as pooling after, cheaper
        return layout.leave(x)

    def _resnet12(self, params: Tensors, x: Tensor, layout: Layout) -> Tensor:
        x = layout.enter(x)
        for block in range(BLOCKS):
            short = self._unit(params, f"{block}.short", x, layout)
            for unit in range(3):
                x = self._unit(params, f"{block}.{unit}", x, layout)
                x = functional.leaky_relu(x if unit < 2 else x + short, SLOPE)
            x = _pool(x)
        return layout.leave(x.mean((2, 3), keepdim=True))

    @staticmethod
    def _unit(params: Tensors, name: str, x: Tensor, layout: Layout) -> Tensor:
        x = layout.convolve(x, params[f"{name}.weight"])
        return layout.norm(x, params[f"{name}.scale"], params[f"{name}.shift"])

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        if self.name == "mlp":
            sizes = [math.prod(self.shape), *[self.width] * HIDDEN]
            pairs = enumerate(itertools.pairwise(sizes))
            return {
                f"{layer}.{kind}": shape
                for layer, (before, after) in pairs
                for kind, shape in (("weight", (after, before)), ("bias", (after,)))
            }
        shapes: dict[str, tuple[int, ...]] = {}
        before = self.shape[0]
        for block in range(BLOCKS):
            after = self.width if self.name == "conv4" else self.width * 2**block
            units = [(str(block), before, 3)]
            if self.name == "resnet12":
                units = [(f"{block}.short", before, 1), (f"{block}.0", before, 3)]
                units += [(f"{block}.{unit}", after, 3) for unit in (1, 2)]
            for name, inputs, side in units:
                shapes[f"{name}.weight"] = (after, inputs, side, side)
                shapes[f"{name}.scale"] = shapes[f"{name}.shift"] = (after,)
            before = after
        return shapes

    def _sizes(self) -> tuple[int, int]:
        """Features of one input, and about how many values a forward pass keeps of it for its gradient."""
        if self.name == "mlp":
            return self.width, math.prod(self.shape) + 2 * HIDDEN * self.width
        height, width = self.shape[1:]
        values = math.prod(self.shape)
        for block in range(BLOCKS):
            channels = self.width if self.name == "conv4" else self.width * 2**block
            values += channels * height * width * (3 if self.name == "conv4" else 11)
            height, width = (side // 2 if min(height, width) > 1 else side for side in (height, width))
        return (channels * height * width if self.name == "conv4" else channels), values


def _pool(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2) if min(x.shape[2:]) > 1 else x
