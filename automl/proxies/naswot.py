"""NASWOT: how well the pattern of active ReLUs distinguishes images.

    score = ln |det K|,   K_ij = number of ReLU units that are both on or both off for images i and j

Every ReLU that is computed counts, as a module or as a function. Mellor et al. (ICML 2021),
https://arxiv.org/abs/2006.04647.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from automl.contracts import Proxy, UserError
from automl.proxies.base import Batch, lacking, working_copy

RELU = (torch.ops.aten.relu.default, torch.ops.aten.relu_.default)


class _Kernel(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up K over all ReLUs that are computed while it is active."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total: Tensor | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in RELU:
            on = (args[0].detach() > 0).flatten(1).double()
            both = on @ on.T + (1 - on) @ (1 - on).T
            self.total = both if self.total is None else self.total + both
        return func(*args, **(kwargs or {}))


@torch.no_grad()
def score(network: nn.Module, batch: Batch) -> float:
    """The score of `batch`. float64's precision bounds the loss for images with equal patterns."""
    duplicate = working_copy(network)
    with _Kernel() as kernel:
        duplicate(batch[0])
    if kernel.total is None:
        raise UserError(lacking("naswot", "a ReLU", network))
    values = torch.linalg.eigvalsh(kernel.total)
    least = float(values[-1]) * len(values) * torch.finfo(values.dtype).eps
    return float(values.clamp(min=least).log().sum())


PLUGIN = Proxy(score, cheap=True)
