"""The largest eigenvalue of the Hessian of the validation loss with respect to alpha.

By exact Hessian-vector products (Pearlmutter 1994), without the Hessian: products of a start vector with
ever higher powers of the Hessian, as in a power iteration, whose answer is read from all iterates together
(Lanczos 1950). That takes the same products, needs fewer of them, and finds the most positive eigenvalue
also where the one of largest magnitude is negative.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from automl.supernets.base import Batch, Mixture, WeightSharing

Product = Callable[[Tensor], Tensor]


class Eigenpair(NamedTuple):
    """An eigenvalue, its unit vector, and how many products it took."""

    value: float
    vector: Tensor
    products: int


def alpha_product(method: WeightSharing, batch: Batch) -> Product:
    """The map v ↦ ∂²L/∂α² · v, both shaped (edges, operations), of the loss on `batch`.

    It is taken at the present strengths. Batch-norm takes the batch's own statistics, as in a step; weights
    and buffers stay as they are.
    """
    method.supernet.train()
    weights = {name: weight.detach() for name, weight in method.weights.items()}
    loss = method.loss(weights, batch, Mixture(method.strengths(), method.active))
    (slope,) = torch.autograd.grad(loss, [method.alpha], create_graph=True)

    def product(vector: Tensor) -> Tensor:
        (image,) = torch.autograd.grad(slope, [method.alpha], [vector], retain_graph=True)
        return image

    return product


def largest_eigenvalue(
    product: Product, start: Tensor, *, tolerance: float = 0.05, most: int = 12
) -> Eigenpair:
    """The most positive eigenvalue of the symmetric linear map `product`.

    `start` has the shape of the map's vectors; what is orthogonal to an eigenvector cannot find it. Ends when
    the residual ‖Hv − λv‖ is below `tolerance` · |λ|, or after `most` products; the error of λ is then of the
    square of the tolerance.
    """
    basis = [start.flatten().double() / start.double().norm()]
    diagonal: list[Tensor] = []
    off_diagonal: list[Tensor] = []
    while True:
        image = product(basis[-1].view_as(start).to(start.dtype)).flatten().double()
        diagonal.append(basis[-1] @ image)
        spanned = torch.stack(basis)
        for _ in range(2):  # twice is enough against the loss of orthogonality (Parlett 1998)
            image = image - spanned.T @ (spanned @ image)
        values, vectors = torch.linalg.eigh(_tridiagonal(diagonal, off_diagonal))
        residual = image.norm()
        error = residual * vectors[-1, -1].abs()
        if len(diagonal) == min(most, start.numel()) or error <= tolerance * values[-1].abs():
            vector = (spanned.T @ vectors[:, -1]).view_as(start).to(start.dtype)
            return Eigenpair(float(values[-1]), vector, len(diagonal))
        off_diagonal.append(residual)
        basis.append(image / residual)


def _tridiagonal(diagonal: list[Tensor], off_diagonal: list[Tensor]) -> Tensor:
    matrix = torch.diag(torch.stack(diagonal))
    for i, value in enumerate(off_diagonal):
        matrix[i, i + 1] = matrix[i + 1, i] = value
    return matrix
