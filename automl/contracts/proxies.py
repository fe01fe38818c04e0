"""The contract of zero-cost proxies: plug-ins that score an untrained network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor, nn

    Batch: TypeAlias = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Proxy:
    """Scores an untrained network, higher is better. A plug-in is `PLUGIN = Proxy(score)`.

    - `score(network, batch)`: a finite float. `batch` holds images (n, C, H, W) and labels (n,) on the
      network's device. It changes neither the network nor the batch, and gives the same value for the same
      weights. Raises `UserError` for a network without the layers that it looks at.
    - `cheap` (False): it takes no longer than a few training steps, so it is logged with every trial unless
      the study names proxies.
    """

    score: Callable[[nn.Module, Batch], float]
    cheap: bool = False
