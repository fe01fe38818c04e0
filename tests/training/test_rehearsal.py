"""A network of a user that cannot take a step is refused before the campaign, with its own reason."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from automl.contracts import Config, Split, Task, UserError
from automl.space import Choice, Space
from automl.training.recipe import NetworkOptions
from automl.training.rehearsal import rehearse

OPTIONS = NetworkOptions(epochs=1, channels=4, batch_size=8, proxies=[])


def task() -> Task:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(24, 1, 8, 8)).astype(np.float32), np.arange(24) % 3
    split = Split(x, y)
    return Task("made-up", "image", (1, 8, 8), 3, split, split, "")


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        return self.head(x.flatten(1)), None


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 3)

    def forward(self, x: Tensor) -> Tensor:
        found = torch.exp(self.head(x.flatten(1)))
        found += 1
        return found


def pair(config: Config, shape: object, classes: int, *, channels: int, cells: int) -> nn.Module:
    return Pair()


def in_place(config: Config, shape: object, classes: int, *, channels: int, cells: int) -> nn.Module:
    return InPlace()


def one_output(config: Config, shape: object, classes: int, *, channels: int, cells: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 1))


def lazy(config: Config, shape: object, classes: int, *, channels: int, cells: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(classes))


def other_size(config: Config, shape: object, classes: int, *, channels: int, cells: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, classes))


def no_keywords(config: Config, shape: object, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def no_module(config: Config, shape: object, classes: int, *, channels: int, cells: int) -> object:
    return lambda x: x


def half(config: Config, shape: object, classes: int, *, channels: int, cells: int) -> nn.Module:
    """Only the default is broken."""
    return nn.Sequential(nn.Flatten(), nn.Linear(784 if config["w"] == 1 else 64, classes))


def fine(config: Config, shape: object, classes: int, *, channels: int, cells: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, classes))


def space(builder: object) -> Space:
    return Space({"w": Choice((1, *range(10, 40)))}, network=builder)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("builder", "words"),
    [
        (pair, "forward must return logits, a tensor of shape (4, 3), but returned a tuple"),
        (one_output, "but returned (4, 1)"),
        (lazy, "layers must know their sizes"),
        (other_size, "mat1 and mat2 shapes cannot be multiplied"),
        (no_keywords, "unexpected keyword argument 'channels'"),
        (no_module, "a builder must return a torch module, but returned a function"),
        (in_place, "modified by an inplace operation"),
    ],
)
def test_a_broken_network_is_refused_with_its_reason(builder: object, words: str) -> None:
    with pytest.raises(UserError) as refused:
        rehearse(OPTIONS, task(), space(builder), [])
    text = str(refused.value)
    assert words in text and f"test_rehearsal:{builder.__name__} for {{'w': 1}}" in text  # type: ignore[attr-defined]
    assert "shape (1, 8, 8), 3 classes" in text


@pytest.mark.parametrize("builder", [fine, half])
def test_a_space_with_a_network_that_works_is_taken(builder: object) -> None:
    rehearse(OPTIONS, task(), space(builder), ["naswot"] if builder is half else ["snip"])
