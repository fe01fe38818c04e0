"""Meta-Curvature: learns where to start, and a linear transform of the inner gradient for each layer.

Park & Oliva 2019, https://arxiv.org/abs/1902.03356. The gradient G of a weight (outputs, inputs, pixels)
becomes

    G ×₁ M_o ×₂ M_i ×₃ M_f

with a learned matrix along each axis, which starts at the identity: a curvature of Kronecker form. Biases,
scales and shifts have M_o alone; linear layers M_o and M_i.
"""

from __future__ import annotations

import torch
from torch import Tensor

from automl.learners.inner_loop import UnrolledLearner
from automl.learners.layouts import Tensors


class MetaCurvature(UnrolledLearner):
    """MAML with a learned block-wise curvature."""

    def initial(self) -> Tensors:
        """Backbone, head, and `curvature.<parameter>.<axis>`, a square matrix per axis."""
        network = super().initial()
        matrices: Tensors = {}
        for name, value in network.items():
            for axis, size in enumerate(_axes(value.shape)):
                matrices[f"curvature.{name}.{axis}"] = torch.eye(size)
        return network | matrices

    def moved(self, step: int, name: str, value: Tensor, gradient: Tensor) -> Tensor:
        """`value` less α times the transformed gradient, (…, *shape of the parameter)."""
        shape = self.parameters[name].shape
        axes = _axes(shape)
        ahead = gradient.shape[: gradient.dim() - len(shape)]
        bent = gradient.reshape(*ahead, *axes)
        for axis in range(len(axes)):
            matrix = self.parameters[f"curvature.{name}.{axis}"]
            where = len(ahead) + axis
            bent = (bent.movedim(where, -1) @ matrix.T).movedim(-1, where)
        return super().moved(step, name, value, bent.reshape(gradient.shape))


def _axes(shape: torch.Size) -> list[int]:
    """Outputs, inputs, pixels; as many as the parameter has."""
    sizes = list(shape[:2])
    return [*sizes, shape[2:].numel()] if len(shape) > 2 else sizes


PLUGIN = MetaCurvature
