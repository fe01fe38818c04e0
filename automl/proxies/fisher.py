"""Fisher: how much the loss feels each channel's removal, to second order.

    score = Σ_c 1/(2N) Σ_n (Σ_ij a_ncij · ∂L_n/∂a_ncij)²

a: outputs (N, c, i, j) of convolutions and (N, c) of linear layers, L_n: cross-entropy of image n. Theis et
al. (2018), https://arxiv.org/abs/1801.05787; for architectures: Turner et al. (ICLR 2020),
https://arxiv.org/abs/1906.04113.
"""

from __future__ import annotations

from torch import Tensor, nn

from automl.contracts import Proxy
from automl.proxies.base import Batch, gradients, layers, loss_of, total, working_copy


def score(network: nn.Module, batch: Batch) -> float:
    """The sum over all channels of all layers, each time a layer is used."""
    duplicate = working_copy(network)
    outputs: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        outputs.append(output)
        return output.clone()  # an activation may overwrite it in place

    for layer in layers(duplicate, "fisher"):
        layer.register_forward_hook(keep)
    loss = loss_of(duplicate, batch, reduction="sum")
    slopes = gradients(loss, outputs)
    felt = [(output.detach() * slope).double() for output, slope in zip(outputs, slopes, strict=True)]
    sums = [each.reshape(*each.shape[:2], -1).sum(2) for each in felt]
    return total([each.square() for each in sums]) / (2 * len(batch[0]))


PLUGIN = Proxy(score)
