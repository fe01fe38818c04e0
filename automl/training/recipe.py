"""How a network is trained: the options of a recipe, and the schedules that they describe."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import Field, ValidationError, field_validator, model_validator
from torch import nn

from automl import contracts, plugins
from automl.contracts import Config, UserError
from automl.layers.regularised import PathDropping, takes_auxiliary
from automl.space import Choice, Int, Space
from automl.training.augmentation import Augmentation


class NetworkOptions(contracts.EvaluatorOptions):
    """The recipe of a training from scratch; a value of 0 switches an option off.

    `epochs`, `batch_size`, `learning_rate` (its peak), `momentum`, `weight_decay`: of SGD with Nesterov
    momentum; `channels` and `cells` go to the space.

    `schedule`: `cosine` anneals the rate once, over all epochs; `per_rung` once for each part between
    `rungs` (epochs), so that the value at a rung is that of a finished short training. `auto` is `per_rung`
    where there are rungs: those of the arm's pruner, unless the study writes its own. `warm_up`: epochs in
    which the rate rises linearly (5: Goyal et al. 2017, arXiv:1706.02677).

    `augment` and its `padding`: see `augmentation`; `cutout`: side of a blanked square (16 for CIFAR-10:
    DeVries & Taylor 2017, arXiv:1708.04552). `label_smoothing` (0.1: Szegedy et al. 2016, arXiv:1512.00567).
    `clip`: largest norm of the gradient (5), `drop_path`: final probability of dropping a path (0.2),
    `auxiliary`: weight of an auxiliary head's loss (0.4), all three as in DARTS (Liu et al. 2019,
    arXiv:1806.09055); the last two need a network that has paths or such a head. `ema`: decay of averaged
    weights, which are then what is validated and saved (0.9999: Howard et al. 2019, arXiv:1905.02244).

    `precision`: forward and backward pass in float32, or under bfloat16 autocast with float32 weights; `auto`
    takes bf16 on a GPU that has it. Validation is in float32. `checkpoint_every`: epochs. `proxies`:
    zero-cost proxies logged for every trial, by default the cheap ones. `synchronise`: on several devices,
    batch norms take the statistics of the whole batch, as one device does; else each those of its part.
    """

    epochs: int = Field(8, ge=1)
    batch_size: int = Field(64, ge=2)
    learning_rate: float = Field(0.05, gt=0)
    momentum: float = Field(0.9, gt=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    channels: int = Field(8, ge=1)
    cells: int = Field(1, ge=1)
    schedule: Literal["auto", "cosine", "per_rung"] = "auto"
    rungs: list[int] = Field([], description="write rising epochs, such as [1, 3, 9]")
    warm_up: float = Field(0.0, ge=0)
    augment: Literal["auto"] | Augmentation = "auto"
    padding: int | None = Field(None, ge=1)
    cutout: int = Field(0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    clip: float = Field(0.0, ge=0)
    drop_path: float = Field(0.0, ge=0, lt=1)
    auxiliary: float = Field(0.0, ge=0)
    ema: float = Field(0.0, ge=0, lt=1)
    precision: Literal["auto", "float32", "bf16"] = "auto"
    checkpoint_every: int = Field(1, ge=1)
    synchronise: bool = True
    proxies: list[str] | None = Field(None, description="write names (automl list proxies), or [] for none")

    @field_validator("rungs")
    @classmethod
    def _rising(cls, rungs: list[int]) -> list[int]:
        if any(low >= high for low, high in zip([0, *rungs], rungs, strict=False)):
            raise ValueError("rungs must be rising positive epochs")
        return rungs

    @field_validator("proxies")
    @classmethod
    def _known(cls, proxies: list[str] | None) -> list[str] | None:
        known = plugins.names("proxies")
        if any(":" not in name and name not in known for name in proxies or ()):
            raise ValueError(f"proxies must be among {', '.join(known)}")
        return proxies

    @model_validator(mode="after")
    def _rungs_need_their_schedule(self) -> NetworkOptions:
        if self.rungs and self.schedule == "cosine":
            raise ValueError("schedule: cosine must have no rungs")
        return self

    def adjusted(self, config: Config) -> NetworkOptions:
        """These options with those that `config` sets. Raises `UserError` for a value out of range."""
        chosen = {name: value for name, value in config.items() if name in NetworkOptions.model_fields}
        try:
            return NetworkOptions.model_validate({**self.model_dump(), **chosen})
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or "options"
            raise UserError(
                f"a parameter named like an option must have a value that option takes, but "
                f"{name}={first['input']!r}: {first['msg']}; change the search space"
            ) from error

    def most_epochs(self, space: Space | None) -> int:
        """The longest training: a parameter `epochs` of the space sets the option of that name."""
        parameter = space.parameters.get("epochs") if space else None
        if isinstance(parameter, Int):
            return max(parameter.high, self.epochs)
        if isinstance(parameter, Choice):
            return max(self.epochs, *(value for value in parameter.options if isinstance(value, int)))
        return self.epochs

    def annealed(self) -> list[int]:
        """The epochs after which the learning rate is annealed, the last one included."""
        return [*(rung for rung in self.rungs if rung < self.epochs), self.epochs]

    def drop_path_at(self, epoch: int) -> float:
        """Probability of dropping a path in `epoch` (from 1): p·(epoch − 1)/epochs, as in DARTS."""
        return self.drop_path * (epoch - 1) / self.epochs


@dataclass(frozen=True)
class Schedule:
    """The learning rate of every step: `warm` steps of linear rise to `peak`, then cosines to 0 at `ends`.

    Step t (from 0) of a part from step a to step b: peak/2·(1 + cos(π(t − a)/(b − a))), which starts at
    `peak` again in the next part (Loshchilov & Hutter 2017, arXiv:1608.03983); in the warm-up:
    peak·(t + 1)/warm. The warm-up takes at most half of the first part.
    """

    peak: float
    ends: Sequence[int]
    warm: int

    @classmethod
    def of(cls, options: NetworkOptions, steps: int) -> Schedule:
        """The schedule of a training with `steps` steps an epoch."""
        ends = [epoch * steps for epoch in options.annealed()]
        return cls(options.learning_rate, ends, min(round(options.warm_up * steps), ends[0] // 2))

    def rate(self, step: int) -> float:
        """The learning rate of `step`, counted from 0 over the whole training."""
        if step < self.warm:
            return self.peak * (step + 1) / self.warm
        start = max((end for end in self.ends if end <= step), default=self.warm)
        end = next(end for end in self.ends if end > step)
        return self.peak / 2 * (1 + math.cos(math.pi * (step - start) / (end - start)))


def uses_bf16(options: NetworkOptions, device: str) -> bool:
    """Whether the passes of a training on `device` run under bfloat16 autocast."""
    if options.precision == "auto":
        return device.startswith("cuda") and torch.cuda.is_bf16_supported()
    return options.precision == "bf16"


def equip(model: nn.Module, options: NetworkOptions, shape: Sequence[int], classes: int) -> None:
    """Give `model` the auxiliary head that `options` ask for.

    Raises `UserError` when the options ask for what this network or images of this shape cannot have.
    """
    if options.cutout >= min(shape[1:]):
        raise UserError(
            f"cutout must be smaller than the images, but got {options.cutout} for {shape[1]}×{shape[2]} "
            "pixels; lower the option cutout of the evaluator"
        )
    if options.drop_path and not isinstance(model, PathDropping):
        raise UserError(
            f"drop_path needs a network with paths to drop, but got {options.drop_path:g} for a "
            f"{type(model).__name__}, which has none; set the option drop_path of the evaluator to 0"
        )
    if options.auxiliary:
        if not takes_auxiliary(model):
            raise UserError(
                f"auxiliary needs a network with an auxiliary head, but got {options.auxiliary:g} for a "
                f"{type(model).__name__}, which has none; set the option auxiliary of the evaluator to 0"
            )
        model.add_auxiliary(classes)


@contextlib.contextmanager
def without_auxiliary(model: nn.Module) -> Iterator[None]:
    """Remove the auxiliary head of `model`, if it has one, within the block: for validation and saving."""
    if not takes_auxiliary(model):
        yield
        return
    head, model.auxiliary = model.auxiliary, None
    try:
        yield
    finally:
        model.auxiliary = head
