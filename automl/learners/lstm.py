"""One layer of an LSTM (Hochreiter & Schmidhuber 1997; with a forget gate) as a function of parameters."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from automl.learners.layouts import Tensors

State: TypeAlias = tuple[Tensor, Tensor]  # output and cell, (…, hidden) each


def initial_lstm(name: str, inputs: int, hidden: int, generator: torch.Generator) -> Tensors:
    """`<name>.weight` (4·hidden, inputs + hidden) and `<name>.bias`, uniform within ±1/√hidden."""
    bound = hidden**-0.5
    shapes = {f"{name}.weight": (4 * hidden, inputs + hidden), f"{name}.bias": (4 * hidden,)}
    return {key: (torch.rand(shape, generator=generator) * 2 - 1) * bound for key, shape in shapes.items()}


def lstm_cell(params: Tensors, name: str, x: Tensor, state: State) -> State:
    """The next state from inputs (…, inputs): c = σ(f)·c + σ(i)·tanh(g), h = σ(o)·tanh(c)."""
    output, cell = state
    gates = functional.linear(torch.cat([x, output], -1), params[f"{name}.weight"], params[f"{name}.bias"])
    enter, forget, candidate, leave = gates.chunk(4, -1)
    cell = forget.sigmoid() * cell + enter.sigmoid() * candidate.tanh()
    return leave.sigmoid() * cell.tanh(), cell
