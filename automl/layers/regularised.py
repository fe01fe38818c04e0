"""What the recipe of a training may ask of an image network: drop-path, and an auxiliary head.

`PathDropping` and `AuxiliaryTraining` are the contracts, `ImageNetwork` a base class that keeps both.
"""

from __future__ import annotations

from typing import Protocol, TypeGuard, runtime_checkable

from torch import Tensor, nn

from automl.ranks.sharing import uniform


@runtime_checkable
class PathDropping(Protocol):
    """A network whose paths may be dropped in training, each with the probability `drop_path`."""

    drop_path: float


class AuxiliaryTraining(Protocol):
    """A network that can be given a second classifier, which is trained beside its own.

    `auxiliary` is that head, None without one; setting it to None removes it.
    """

    auxiliary: nn.Module | None

    def add_auxiliary(self, classes: int) -> None:
        """Add the head."""

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) to the logits of both classifiers, (N, classes) each."""


@runtime_checkable
class _AuxiliaryMethods(Protocol):
    """What tells an `AuxiliaryTraining` network: a submodule is no attribute that `isinstance` may find."""

    def add_auxiliary(self, classes: int) -> None: ...

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]: ...


def takes_auxiliary(network: object) -> TypeGuard[AuxiliaryTraining]:
    """Whether `network` can be given an auxiliary head."""
    return isinstance(network, _AuxiliaryMethods)


class Droppable(nn.Module):
    """A part of a network in which, in training, an image may lose the value of a path.

    `drop_path` is the probability of that; what is kept is scaled by 1 / (1 - drop_path), so the mean
    stays (Larsson et al. 2017, https://arxiv.org/abs/1605.07648; of residual blocks: stochastic depth, Huang
    et al. 2016, https://arxiv.org/abs/1603.09382).
    """

    drop_path = 0.0

    def dropped(self, value: Tensor) -> Tensor:
        """(N, …), with each image's value 0 or scaled; `value` itself outside of training."""
        if not self.training or self.drop_path == 0:
            return value
        keep = 1 - self.drop_path
        kept = uniform(value, *[1] * (value.ndim - 1)) < keep
        return value * kept / keep


class AuxiliaryHead(nn.Sequential):
    """The classifier beside the trunk (DARTS, appendix A.1): (N, inputs, H, W) to logits (N, classes).

    Its pooling gives 2×2 pixels from any size; on the paper's 8×8 it takes windows of 4 where the original
    takes overlapping ones of 5. Parameters are the same.
    """

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Conv2d(inputs, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(768, classes),
        )


class ImageNetwork(nn.Module):
    """A network whose `drop_path` is that of all its parts, and which can be given an auxiliary head.

    A subclass defines `states`, and sets `auxiliary_inputs`, the channels of what the head reads.
    """

    auxiliary_inputs: int

    def __init__(self) -> None:
        super().__init__()
        self.auxiliary: nn.Module | None = None
        self._drop_path = 0.0

    @property
    def drop_path(self) -> float:
        """Probability that an image loses the value of a path, in training."""
        return self._drop_path

    @drop_path.setter
    def drop_path(self, probability: float) -> None:
        self._drop_path = probability
        for part in self.modules():
            if isinstance(part, Droppable):
                part.drop_path = probability

    def add_auxiliary(self, classes: int) -> None:
        """Add the auxiliary head. Set `auxiliary` to None to drop it again."""
        self.auxiliary = AuxiliaryHead(self.auxiliary_inputs, classes).to(next(self.parameters()))

    def states(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Images (N, C, H, W) to logits (N, classes) and what the auxiliary head reads."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, classes)."""
        return self.states(x)[0]

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and the auxiliary head's logits, (N, classes) both. Needs `add_auxiliary` first."""
        logits, state = self.states(x)
        assert self.auxiliary is not None, "add_auxiliary comes first"
        auxiliary: Tensor = self.auxiliary(state)
        return logits, auxiliary


def through(body: nn.Sequential, x: Tensor, last: nn.Module) -> tuple[Tensor, Tensor]:
    """The output of `body`, and that of its part `last`."""
    state = x
    for part in body:
        x = part(x)
        state = x if part is last else state
    return x, state
