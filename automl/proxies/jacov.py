"""Jacobian covariance: how differently the network answers small changes of different images.

    score = −Σ_i [ln(σ_i + k) + 1/(σ_i + k)],   k = 1e-5

σ_i are the eigenvalues of the correlation matrix of the N rows J_n = ∂(sum of the logits)/∂x_n. Mellor et al.
(ICML 2021, first version), https://arxiv.org/abs/2006.04647v1; as in Abdelfattah et al. (ICLR 2021).
"""

from __future__ import annotations

import torch
from torch import nn

from automl.contracts import Proxy
from automl.proxies.base import Batch, gradients, working_copy

K = 1e-5


def score(network: nn.Module, batch: Batch) -> float:
    """The score of `batch`, at most −N; rows without any variance count as correlated with all."""
    duplicate = working_copy(network)
    images = batch[0].detach().clone().requires_grad_(True)
    rows = gradients(duplicate(images).sum(), [images])[0].double().flatten(1)
    rows = rows - rows.mean(1, keepdim=True)
    norms = rows.norm(dim=1, keepdim=True)
    correlations = (rows / norms) @ (rows / norms).T
    constant = (norms == 0).flatten()
    correlations[constant], correlations[:, constant] = 1.0, 1.0
    values = torch.linalg.eigvalsh(correlations).clamp(min=0) + K
    return -float((values.log() + 1 / values).sum())


PLUGIN = Proxy(score)
