"""A network with what the evaluator `network` may ask for: paths to drop and an auxiliary head."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from automl.contracts import Config
from automl.space import Choice, Space


class CapableNetwork(nn.Module):
    """Two convolutions, of which the second is a path that may be dropped. `seen`: of each training pass."""

    def __init__(
        self, config: Config, shape: tuple[int, ...], classes: int, *, channels: int, cells: int
    ) -> None:
        super().__init__()
        self.auxiliary: nn.Module | None = None
        self.drop_path = 0.0
        self.seen: list[float] = []
        self.stem = nn.Sequential(nn.Conv2d(shape[0], channels, 3, padding=1), nn.BatchNorm2d(channels))
        self.path = nn.Sequential(
            nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        self.classifier = nn.Linear(channels, classes)

    def add_auxiliary(self, classes: int) -> None:
        self.auxiliary = nn.Linear(self.classifier.in_features, classes)

    def forward_with_auxiliary(self, x: Tensor) -> tuple[Tensor, Tensor]:
        assert self.auxiliary is not None
        features = self.stem(x)
        return self._rest(features), self.auxiliary(features.mean((2, 3)))

    def forward(self, x: Tensor) -> Tensor:
        return self._rest(self.stem(x))

    def _rest(self, features: Tensor) -> Tensor:
        path = self.path(features)
        if self.training:
            self.seen.append(self.drop_path)
            if self.drop_path:
                keep = 1 - self.drop_path
                path = path * (torch.rand(len(path), 1, 1, 1) < keep) / keep
        logits: Tensor = self.classifier((features + path).mean((2, 3)))
        return logits


class CapableSpace(Space):
    """One parameter, and the capable network."""

    def __init__(self) -> None:
        super().__init__({"kernel": Choice([3])}, network=CapableNetwork)
