"""Matching networks: a query takes the labels of the support examples it resembles, by cosine attention.

Vinyals et al. 2016, https://arxiv.org/abs/1606.04080. With embeddings f of queries and g of support examples

    a(x, x_i) = softmax_i( scale · cos(f(x), g(x_i)) ),    P(y | x) = Σ a(x, x_i) [y = y_i],    logit = log P

In the paper scale is 1. With `full_context` (section 2.1.2 and its appendix) g reads the whole support set by
a bidirectional LSTM, g(x_i) = h→_i + h←_i + g'(x_i), so the order of the support set counts; f reads it by
`reads` steps of an LSTM with attention: h = LSTM(f'(x), [h, r]) + f'(x), r = Σ softmax(hᵀ g(x_i)) g(x_i).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from automl.learners.base import LearnerOptions
from automl.learners.layouts import Tensors
from automl.learners.lstm import initial_lstm, lstm_cell
from automl.learners.metric import MetricLearner, one_hot


class MatchingOptions(LearnerOptions):
    """`scale` of the cosine; `full_context` embeddings with `reads` steps of attention."""

    scale: float = Field(1.0, gt=0)
    full_context: bool = False
    reads: int = Field(3, ge=1)


class Matching(MetricLearner):
    """Attention over the support set."""

    Options: ClassVar[type[LearnerOptions]] = MatchingOptions
    options: MatchingOptions

    def initial(self) -> Tensors:
        """The backbone, and the LSTMs `forward`, `backward` and `reader` of full-context embeddings."""
        parameters = super().initial()
        if self.options.full_context:
            size = self.backbone.features
            for name, inputs in (("forward", size), ("backward", size), ("reader", 2 * size)):
                parameters |= initial_lstm(name, inputs, size, self.generator)
        return parameters

    def fit(self, support: Tensor, targets: Tensor, ways: int) -> Tensors:
        """The embedded support set (…, S, F) and its labels as 0 and 1 (…, S, ways)."""
        if self.options.full_context:
            ahead, back = self._read("forward", support), self._read("backward", support.flip(-2)).flip(-2)
            support = ahead + back + support
        return {"keys": support, "labels": one_hot(targets, ways, support)}

    def scores(self, fitted: Tensors, query: Tensor) -> Tensor:
        """Logarithms of the probabilities."""
        attention = self.attention(fitted, query)
        return (attention @ fitted["labels"]).clamp_min(torch.finfo(query.dtype).tiny).log()

    def attention(self, fitted: Tensors, query: Tensor) -> Tensor:
        """a(x, x_i), (…, Q, S): each row sums to 1."""
        keys = fitted["keys"]
        if self.options.full_context:
            query = self._attend(query, keys)
        cosine = functional.normalize(query, dim=-1) @ functional.normalize(keys, dim=-1).mT
        return (self.options.scale * cosine).softmax(-1)

    def _read(self, name: str, x: Tensor) -> Tensor:
        """Outputs of an LSTM that goes along the examples (…, S, F)."""
        state = (torch.zeros_like(x[..., 0, :]), torch.zeros_like(x[..., 0, :]))
        examples: Iterable[Tensor] = x.unbind(-2)
        outputs = []
        for example in examples:
            state = lstm_cell(self.parameters, name, example, state)
            outputs.append(state[0])
        return torch.stack(outputs, -2)

    def _attend(self, query: Tensor, keys: Tensor) -> Tensor:
        output, cell, read = query, torch.zeros_like(query), torch.zeros_like(query)
        for _ in range(self.options.reads):
            inputs = torch.cat([query, read], -1)
            output, cell = lstm_cell(self.parameters, "reader", inputs, (output, cell))
            output = output + query
            read = (output @ keys.mT).softmax(-1) @ keys
        return output


PLUGIN = Matching
