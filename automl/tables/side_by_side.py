"""The training of perceptrons side by side: they see the same rows, and each has its own loss.

In NumPy: layers are so small that what torch adds to each call would be most of the time, and a process that
has imported torch cannot be forked.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np

from automl.tables.boosters import HELD, may_stop
from automl.tables.setting import Fitting, Setting
from automl.tables.values import Values

MEMBERS: Final = 8
BATCH: Final = (32, 256)  # rows of a step: a sixteenth of all, within these
EPOCHS: Final = (8, 50)
STEPS: Final = 1_000  # after which there are no more epochs than the least
WARM: Final = 0.1  # of the steps: the rate rises, then falls by a cosine
BETAS: Final = (0.9, 0.95)
TINY: Final = 1e-8
PREDICTED: Final = 8_192  # rows at once where held out rows are predicted
# weights and biases (members, out) of each layer: those of the first (in, members, out), which all see the
# same rows, of the others (members, in, out)
Layers: TypeAlias = Sequence[tuple[np.ndarray, np.ndarray]]


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

    def rate(self, step: int) -> float:
        """The share of the rate in a step: it rises, then falls by a cosine to 0."""
        warm = max(1, round(WARM * self.steps))
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


def trained(rows: Fitting, s: Setting, c: Values, outputs: int) -> Layers:
    """The layers of the members.

    Targets are whole numbers from 0 where those are classes. A tenth of the rows is held out where there are
    enough; the weights of the epoch with the least loss on them are kept.
    """
    fit, held = _held_out(rows, s)
    course, rng = _Course.of(len(fit.y)), np.random.default_rng(s.seed)
    sizes = [rows.x.shape[1], *[c["mlps_width"]] * c["mlps_depth"], outputs]
    adam = Adam(drawn(sizes, MEMBERS, rng), c["mlps_rate"], c["mlps_decay"])
    x, least, best, step = np.ascontiguousarray(fit.x, np.float32), math.inf, adam.values.copy(), 0
    for _ in range(course.epochs):
        order = rng.permutation(len(x))
        for part in np.split(order, range(course.batch, len(x), course.batch)):
            counts = None if fit.weights is None else fit.weights[part]
            seen = activations(adam.layers, x[part], c["mlps_dropout"], rng)
            slopes = slopes_of(seen[-1], fit.y[part], counts)
            backward(adam.layers, seen, slopes, c["mlps_dropout"], adam.gradients)
            adam.step(course.rate(step))
            step += 1
        if held is not None and (together := _together(adam.layers, held)) < least:
            best, least = adam.values.copy(), together
    return adam.viewed(best if held is not None else adam.values)


def drawn(sizes: Sequence[int], members: int, rng: np.random.Generator) -> Layers:
    """Weights by He et al. (2015); biases that spread where units bend."""
    found = []
    for number, (narrow, wide) in enumerate(itertools.pairwise(sizes)):
        shape = (narrow, members, wide) if number == 0 else (members, narrow, wide)
        weights = rng.normal(size=shape) * math.sqrt(2 / narrow)
        found.append((weights, rng.uniform(-1, 1, (members, wide)) / math.sqrt(narrow)))
    return found


class Adam:
    """AdamW (Loshchilov and Hutter, ICLR 2019) of layers in one array of numbers; biases do not decay."""

    def __init__(self, layers: Layers, rate: float, decay: float, dtype: type = np.float32) -> None:
        parts = [weights for weights, _ in layers] + [biases for _, biases in layers]
        self._shapes = [part.shape for part in parts]
        self.values: np.ndarray = np.concatenate([part.ravel() for part in parts]).astype(dtype)
        self._decays = sum(weights.size for weights, _ in layers)
        self.layers = self.viewed(self.values)
        self._slopes = np.zeros_like(self.values)
        self.gradients = self.viewed(self._slopes)
        self._first, self._second = np.zeros_like(self.values), np.zeros_like(self.values)
        self.rate, self.decay, self._steps = rate, decay, 0

    def viewed(self, values: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """The layers in an array of all numbers."""
        ends = np.cumsum([math.prod(shape) for shape in self._shapes])[:-1]
        parts = [one.reshape(shape) for one, shape in zip(np.split(values, ends), self._shapes, strict=True)]
        return list(zip(parts[: len(parts) // 2], parts[len(parts) // 2 :], strict=True))

    def step(self, share: float) -> None:
        """A step against `gradients` with a share of the rate."""
        self._steps += 1
        rate, (one, two) = self.rate * share, BETAS
        self._first *= one
        self._first += (1 - one) * self._slopes
        self._second *= two
        self._second += (1 - two) * np.square(self._slopes)
        self.values[: self._decays] *= 1 - rate * self.decay
        root = np.sqrt(self._second / (1 - two**self._steps))
        root += TINY
        np.divide(self._first, root, out=root)
        root *= rate / (1 - one**self._steps)
        self.values -= root


def activations(
    layers: Layers, x: np.ndarray, dropout: float = 0.0, rng: np.random.Generator | None = None
) -> list[np.ndarray]:
    """What each layer gets, then the outputs (members, rows, outputs), for rows (rows, features)."""
    (weights, biases), *rest = layers
    members, wide = biases.shape
    flat = x @ weights.reshape(len(weights), members * wide)  # all members at once
    hidden = (flat.reshape(len(x), members, wide) + biases).transpose(1, 0, 2)
    seen = [x]
    for weights, biases in rest:
        hidden = np.maximum(hidden, 0)
        if dropout and rng is not None:
            least = _least(dropout)  # a byte decides: it is cheap
            kept = rng.integers(0, 256, hidden.shape, np.uint8) >= least
            hidden *= kept
            hidden *= 256 / (256 - least)
        seen.append(hidden)
        hidden = hidden @ weights + biases[:, None]
    return [*seen, hidden]


def _least(dropout: float) -> int:
    """Of 256 bytes those below it are dropped: dropout, to the next 1/256."""
    return min(255, round(256 * dropout))


def backward(
    layers: Layers, seen: Sequence[np.ndarray], slopes: np.ndarray, dropout: float, gradients: Layers
) -> None:
    """Write the gradients of all layers, by what `activations` gave and the `slopes` of its outputs."""
    scale = 256 / (256 - _least(dropout))
    for number in range(len(layers) - 1, 0, -1):
        weights, (of_weights, of_biases) = layers[number][0], gradients[number]
        np.matmul(seen[number].transpose(0, 2, 1), slopes, out=of_weights)
        slopes.sum(axis=1, out=of_biases)
        slopes = slopes @ weights.transpose(0, 2, 1)
        slopes *= seen[number] > 0  # neither below the bend nor dropped
        if dropout:
            slopes *= scale
    flat = slopes.transpose(1, 0, 2).reshape(len(seen[0]), -1)
    of_weights, of_biases = gradients[0]
    np.matmul(seen[0].T, flat, out=of_weights.reshape(len(of_weights), -1))
    slopes.sum(axis=1, out=of_biases)


def losses_of(found: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The loss (members, rows) of outputs (members, rows, outputs), by targets (rows,).

    Of numbers half the square of the error, of classes the cross-entropy.
    """
    if y.dtype.kind == "f":
        return np.asarray(0.5 * np.square(found[..., 0] - y))
    if found.shape[-1] == 1:
        logits = found[..., 0]
        return np.asarray(np.logaddexp(0, logits) - y * logits)
    top = found.max(axis=-1)
    total = top + np.log(np.exp(found - top[..., None]).sum(axis=-1))
    return np.asarray(total - found[:, np.arange(len(y)), y])


def slopes_of(found: np.ndarray, y: np.ndarray, counts: np.ndarray | None) -> np.ndarray:
    """The slopes of the sum over members of their mean `losses_of`, as outputs; `counts`: of rows."""
    if y.dtype.kind == "f":
        slopes = found - y[:, None].astype(found.dtype)
    elif found.shape[-1] == 1:
        slopes = 0.5 * (1 + np.tanh(0.5 * found)) - y[:, None].astype(found.dtype)
    else:
        slopes = np.exp(found - found.max(axis=-1, keepdims=True))
        slopes /= slopes.sum(axis=-1, keepdims=True)
        slopes[:, np.arange(len(y)), y] -= 1
    if counts is not None:
        slopes *= counts[:, None].astype(found.dtype)
    return np.asarray(slopes / len(y))


def _together(layers: Layers, held: Fitting) -> float:
    """The mean loss on rows held out of the mean of the members' outputs."""
    x = np.ascontiguousarray(held.x, np.float32)
    parts = [x[place : place + PREDICTED] for place in range(0, len(x), PREDICTED)]
    means = [activations(layers, part)[-1].mean(axis=0, keepdims=True) for part in parts]
    losses = losses_of(np.concatenate(means, axis=1), held.y)[0]
    return float(np.mean(losses if held.weights is None else losses * held.weights))


def _held_out(rows: Fitting, s: Setting) -> tuple[Fitting, Fitting | None]:
    """Rows to fit on, and a tenth, by class, by which the best epoch is chosen."""
    from sklearn.model_selection import train_test_split  # scikit-learn takes a second to import

    classes = int(rows.y.max()) + 1 if s.classes else 0
    if may_stop(rows.y, classes):
        return rows, None
    by_class, every = rows.y if classes else None, np.arange(len(rows.y))
    fit, held = train_test_split(every, test_size=HELD, stratify=by_class, random_state=s.seed)
    return rows.at(fit), rows.at(held)
