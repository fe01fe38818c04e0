"""The training of perceptrons side by side, by torch: they see the same rows, and each has its own loss."""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from automl.tables.boosters import HELD, may_stop
from automl.tables.setting import Fitting, Setting
from automl.tables.values import Values

if TYPE_CHECKING:
    import torch

MEMBERS: Final = 8
BATCH: Final = (32, 256)  # rows of a step: a sixteenth of all, within these
EPOCHS: Final = (8, 50)
STEPS: Final = 1_000  # after which there are no more epochs than the least
WARM: Final = 0.1  # of the steps: the rate rises, then falls by a cosine
PREDICTED: Final = 8_192  # rows at once where held out rows are predicted


@dataclass(frozen=True)
class _Course:
    """How long is trained on so many rows: steps of `batch` rows, `epochs` times."""

    batch: int
    epochs: int
    steps: int

    @classmethod
    def of(cls, rows: int) -> _Course:
        batch = int(np.clip(2 ** round(math.log2(max(1, rows / 16))), *BATCH))
        each = math.ceil(rows / batch)
        epochs = int(np.clip(STEPS // each, *EPOCHS))
        return cls(batch, epochs, epochs * each)


def trained(rows: Fitting, s: Setting, c: Values, outputs: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The weights (members, in, out) and biases (members, out) of each layer of the members.

    Targets are whole numbers from 0 where those are classes. A tenth of the rows is held out where there are
    enough; the weights of the epoch with the least loss on them are kept. By one thread: digits stay.
    """
    import torch  # takes two seconds to import

    fit, held = _held_out(rows, s)
    course = _Course.of(len(fit.y))
    generator = torch.Generator().manual_seed(s.seed)
    sizes = [rows.x.shape[1], *[c["mlps_width"]] * c["mlps_depth"], outputs]
    with _one_thread():
        layers = [_layer(narrow, wide, generator) for narrow, wide in itertools.pairwise(sizes)]
        optimizer = _optimizer(layers, c)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, _Rate(course.steps))
        x, y, counts = _tensors(fit)
        best, least = layers, math.inf
        for _ in range(course.epochs):
            order = torch.randperm(len(x), generator=generator)
            for part in order.split(course.batch):  # type: ignore[no-untyped-call]
                optimizer.zero_grad()
                found = outputs_of(layers, x[part], c["mlps_dropout"], generator)
                loss = loss_of(found, y[part], None if counts is None else counts[part])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
            if held is not None and (together := _together(layers, held)) < least:
                best, least = [(w.detach().clone(), b.detach().clone()) for w, b in layers], together
    return [(weight.detach().numpy(), bias.detach().numpy()) for weight, bias in best]


def _optimizer(layers: Sequence[tuple[torch.Tensor, torch.Tensor]], c: Values) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter, ICLR 2019); biases do not decay."""
    import torch  # takes two seconds to import

    weights, biases = zip(*layers, strict=True)
    groups = [
        {"params": weights, "weight_decay": c["mlps_decay"]},
        {"params": biases, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=c["mlps_rate"], betas=(0.9, 0.95))


class _Rate:
    """The share of the rate in each of so many steps: it rises, then falls by a cosine to 0."""

    def __init__(self, steps: int) -> None:
        self.steps, self.warm = steps, max(1, round(WARM * steps))

    def __call__(self, step: int) -> float:
        if step < self.warm:
            return (step + 1) / self.warm
        return 0.5 * (1 + math.cos(math.pi * (step - self.warm) / max(1, self.steps - self.warm)))


def _layer(narrow: int, wide: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights (members, in, out) by He et al. (2015), and biases (members, out)."""
    import torch  # takes two seconds to import

    weight = torch.randn(MEMBERS, narrow, wide, generator=generator) * math.sqrt(2 / narrow)
    bias = (2 * torch.rand(MEMBERS, wide, generator=generator) - 1) / math.sqrt(narrow)
    return weight.requires_grad_(), bias.requires_grad_()


def outputs_of(
    layers: Sequence[tuple[torch.Tensor, torch.Tensor]],
    x: torch.Tensor,
    dropout: float = 0.0,
    generator: torch.Generator | None = None,
) -> torch.Tensor:
    """The outputs (members, rows, outputs) of all members for rows (rows, features)."""
    import torch  # takes two seconds to import

    (weight, bias), *rest = layers
    members, narrow, wide = weight.shape
    # all members at once: they see the same rows
    flat = x @ weight.transpose(0, 1).reshape(narrow, members * wide)
    hidden = flat.reshape(len(x), members, wide).transpose(0, 1) + bias[:, None]
    for weight, bias in rest:
        hidden = torch.relu(hidden)
        if dropout:
            hidden = hidden * _kept(hidden, dropout, generator)
        hidden = torch.baddbmm(bias[:, None], hidden, weight)
    return hidden


def _kept(hidden: torch.Tensor, dropout: float, generator: torch.Generator | None) -> torch.Tensor:
    """0 where dropout, to the next 1/256, has hit; else what keeps the mean. A byte decides: it is cheap."""
    import torch  # takes two seconds to import

    words = torch.empty(math.ceil(hidden.numel() / 8), dtype=torch.int64)
    words.random_(-(2**63), None, generator=generator)
    least = round(256 * dropout)
    kept = words.view(torch.uint8)[: hidden.numel()].view(hidden.shape) >= least
    return kept.to(hidden.dtype).mul_(256 / (256 - least))


def loss_of(found: torch.Tensor, y: torch.Tensor, counts: torch.Tensor | None) -> torch.Tensor:
    """The sum over members (members, rows, outputs) of their mean losses: each is trained by its own."""
    from torch.nn import functional  # takes two seconds to import

    members, rows, outputs = found.shape
    targets = y.expand(members, rows)
    if outputs > 1:
        flat = functional.cross_entropy(
            found.reshape(-1, outputs), targets.reshape(-1).long(), reduction="none"
        )
        each = flat.reshape(members, rows)
    elif y.is_floating_point():
        each = functional.mse_loss(found[..., 0], targets, reduction="none")
    else:
        each = functional.binary_cross_entropy_with_logits(
            found[..., 0], targets.to(found.dtype), reduction="none"
        )
    return (each if counts is None else each * counts).mean(dim=1).sum()


def _together(layers: Sequence[tuple[torch.Tensor, torch.Tensor]], held: Fitting) -> float:
    """The loss on rows held out of the mean of the members' outputs."""
    import torch  # takes two seconds to import

    x, y, counts = _tensors(held)
    with torch.no_grad():
        parts = x.split(PREDICTED)  # type: ignore[no-untyped-call]
        means = [outputs_of(layers, part).mean(dim=0, keepdim=True) for part in parts]
        return float(loss_of(torch.cat(means, dim=1), y, counts))


def _tensors(rows: Fitting) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
    """Features, targets (whole numbers where those are classes) and weights."""
    import torch  # takes two seconds to import

    def single(values: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(values, np.float32))

    y = torch.from_numpy(rows.y.astype(np.int64)) if rows.y.dtype.kind in "iu" else single(rows.y)
    return single(rows.x), y, None if rows.weights is None else single(rows.weights)


def _held_out(rows: Fitting, s: Setting) -> tuple[Fitting, Fitting | None]:
    """Rows to fit on, and a tenth, by class, by which the best epoch is chosen."""
    from sklearn.model_selection import train_test_split  # scikit-learn takes a second to import

    classes = int(rows.y.max()) + 1 if s.classes else 0
    if may_stop(rows.y, classes):
        return rows, None
    by_class = rows.y if classes else None
    fit, held = train_test_split(
        np.arange(len(rows.y)), test_size=HELD, stratify=by_class, random_state=s.seed
    )
    return rows.at(fit), rows.at(held)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """More threads gain little on matrices so small, and may change digits."""
    import torch  # takes two seconds to import

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
