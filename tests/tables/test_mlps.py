"""Perceptrons trained side by side: gradients, seeds, weights of rows, and the one that holds them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch

from automl.tables import side_by_side
from automl.tables.mlps import packed
from automl.tables.model import TableModel
from automl.tables.setting import Fitting, Setting
from automl.tables.side_by_side import (
    BETAS,
    MEMBERS,
    TINY,
    Adam,
    Layers,
    activations,
    backward,
    drawn,
    losses_of,
    slopes_of,
    trained,
)
from automl.tables.values import DEFAULTS

SMALL = {"model": "mlps", "mlps_width": 16, "mlps_depth": 1, "mlps_rate": 0.01}
RING = """
import numpy as np, pandas as pd
from automl.tables.model import TableModel
x = np.random.default_rng(0).normal(size=(300, 2))
y = (np.hypot(*x.T) > 1.2).astype(int)
x = pd.DataFrame(x, columns=["a", "b"])
model = TableModel({"model": "mlps", "mlps_width": 16, "mlps_depth": 1, "mlps_rate": 0.01}, 2, 3)
print(repr(model.fit(x, y).predict(x)[:5, 1]))
"""


def layers(*sizes: int, members: int = MEMBERS) -> Adam:
    rng = np.random.default_rng(0)
    return Adam(drawn(sizes, members, rng), 0.01, 0.0, np.float64)


def rows(count: int = 300, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Inside or outside of a ring, which no line divides."""
    x = np.random.default_rng(seed).normal(size=(count, 2))
    return pd.DataFrame(x, columns=["a", "b"]), (np.hypot(*x.T) > 1.2).astype(int)


@pytest.mark.parametrize("sizes", [(3, 4, 1), (3, 5, 4, 2), (3, 2, 4, 3, 1)])
def test_the_one_perceptron_gives_the_mean_of_the_members(sizes: tuple[int, ...]) -> None:
    members = layers(*sizes).layers
    x = np.random.default_rng(1).normal(size=(7, 3))
    hidden = x
    for place, (weight, bias) in enumerate(zip(*packed(members, 5.0, 3.0), strict=True)):
        hidden = (hidden if place == 0 else np.maximum(hidden, 0)) @ weight + bias
    mean = activations(members, x)[-1].mean(axis=0)
    np.testing.assert_allclose(hidden, 5 + 3 * mean, rtol=1e-12)
    assert np.abs(mean - activations(members, x)[-1][0]).max() > 0.1, "members differ"


def targets(kind: str, outputs: int) -> np.ndarray:
    if kind == "numbers":
        return np.random.default_rng(3).normal(size=6)
    return np.arange(6) % max(2, outputs)


@pytest.mark.parametrize(("kind", "outputs"), [("numbers", 1), ("classes", 1), ("classes", 3)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradients_are_those_of_finite_differences(
    kind: str, outputs: int, weighted: bool, dropout: float
) -> None:
    adam = layers(2, 3, 4, outputs, members=2)
    x, y = np.random.default_rng(2).normal(size=(6, 2)), targets(kind, outputs)
    counts = np.array([0.0, 1.0, 2.0, 0.5, 1.5, 1.0]) if weighted else None

    def seen() -> list[np.ndarray]:
        return activations(adam.layers, x, dropout, np.random.default_rng(5))

    def loss() -> float:
        found = losses_of(seen()[-1], y)
        return float((found if counts is None else found * counts).mean(axis=1).sum())

    given = seen()
    backward(adam.layers, given, slopes_of(given[-1], y, counts), dropout, adam.gradients)
    exact, wanted, tiny = adam._slopes.copy(), np.zeros(adam.values.size), 1e-6
    for place in range(adam.values.size):
        kept = adam.values[place]
        adam.values[place] = kept + tiny
        above = loss()
        adam.values[place] = kept - tiny
        wanted[place] = (above - loss()) / (2 * tiny)
        adam.values[place] = kept
    np.testing.assert_allclose(exact, wanted, rtol=1e-6, atol=1e-8)
    assert np.abs(exact).max() > 0.01


@pytest.mark.parametrize(("kind", "outputs"), [("numbers", 1), ("classes", 1), ("classes", 3)])
def test_losses_are_those_of_torch(kind: str, outputs: int) -> None:
    y, found = targets(kind, outputs), np.random.default_rng(4).normal(size=(2, 6, outputs)) * 30
    logits, truth = torch.from_numpy(found), torch.from_numpy(y).expand(2, 6)
    if kind == "numbers":
        wanted = 0.5 * (logits[..., 0] - truth) ** 2
    elif outputs == 1:
        wanted = torch.nn.functional.binary_cross_entropy_with_logits(
            logits[..., 0], truth.double(), reduction="none"
        )
    else:
        flat = (logits.reshape(-1, outputs), truth.reshape(-1))
        wanted = torch.nn.functional.cross_entropy(*flat, reduction="none").reshape(2, 6)
    np.testing.assert_allclose(losses_of(found, y), wanted.numpy(), rtol=1e-12, atol=1e-12)


def test_steps_are_those_of_torchs_adamw() -> None:
    adam = Adam(drawn((3, 4, 1), 2, np.random.default_rng(0)), 0.01, 0.3, np.float64)
    copies = [
        [torch.from_numpy(one.copy()).requires_grad_() for one in layer]
        for layer in zip(*adam.layers, strict=True)
    ]
    groups = [{"params": copies[0], "weight_decay": 0.3}, {"params": copies[1], "weight_decay": 0.0}]
    theirs = torch.optim.AdamW(groups, lr=0.01, betas=BETAS, eps=TINY)
    rng = np.random.default_rng(1)
    for share in (1.0, 0.5, 0.25):
        for (weights, biases), *slopes in zip(adam.gradients, *copies, strict=True):
            for own, their in zip((weights, biases), slopes, strict=True):
                own[:] = rng.normal(size=own.shape)
                their.grad = torch.from_numpy(own.copy())
        for group in theirs.param_groups:
            group["lr"] = 0.01 * share
        theirs.step()
        adam.step(share)
    for (weights, biases), their_weights, their_biases in zip(adam.layers, *copies, strict=True):
        np.testing.assert_allclose(weights, their_weights.detach().numpy(), rtol=1e-10)
        np.testing.assert_allclose(biases, their_biases.detach().numpy(), rtol=1e-10)


def test_members_are_trained_by_their_own_losses() -> None:
    two = layers(2, 3, 1, members=2)
    x, y = np.random.default_rng(2).normal(size=(4, 2)), np.arange(4) % 2
    (first, bends), (last, ends) = two.layers
    alone = Adam([(first[:, :1], bends[:1]), (last[:1], ends[:1])], 0.01, 0.0, np.float64)
    for adam in (two, alone):
        seen = activations(adam.layers, x)
        backward(adam.layers, seen, slopes_of(seen[-1], y, None), 0.0, adam.gradients)
    np.testing.assert_allclose(two.gradients[0][0][:, :1], alone.gradients[0][0])
    np.testing.assert_allclose(two.gradients[1][0][:1], alone.gradients[1][0])


def test_dropout_keeps_the_mean_and_hits_every_unit() -> None:
    ones = [(np.zeros((1, 2, 65)), np.ones((2, 65))), (np.zeros((2, 65, 1)), np.zeros((2, 1)))]
    kept = activations(ones, np.zeros((400, 1)), 0.25, np.random.default_rng(0))[1]
    assert kept.mean() == pytest.approx(1, abs=0.02)
    assert (kept == 0).mean(axis=(0, 1)).min() > 0.18
    assert sorted(set(kept.ravel().tolist())) == pytest.approx([0, 4 / 3])


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_it_learns_what_no_line_divides(classes: int) -> None:
    x, y = rows()
    inside = y if classes < 3 else y + (x["a"].to_numpy() > 0) * y
    target = inside if classes else 1000.0 + 50.0 * np.hypot(x["a"], x["b"]).to_numpy()
    model = TableModel(SMALL, classes, 0).fit(x, target)
    new, truth = rows(200, seed=1)
    found = model.predict(new)
    if classes:
        truth = truth if classes < 3 else truth + (new["a"].to_numpy() > 0) * truth
        assert (found.argmax(axis=1) == truth).mean() > 0.9
    else:
        truth = 1000 + 50 * np.hypot(new["a"], new["b"])
        assert np.abs(found - truth).mean() < 0.4 * np.abs(target.mean() - truth).mean()


def test_numbers_stay_between_the_targets() -> None:
    x, _ = rows()
    target = 1000.0 + 50.0 * x["a"].to_numpy()
    model = TableModel(SMALL, 0, 0).fit(x, target)
    far = pd.DataFrame({"a": [-1e6, 0.0, 1e6], "b": [0.0, 0.0, 0.0]})
    found = model.predict(far)
    assert found[[0, 2]] == pytest.approx([target.min(), target.max()]) and found[1] == pytest.approx(
        1000, abs=20
    )


def test_a_class_that_training_lacks_is_none() -> None:
    x, y = rows()
    found = TableModel(SMALL, 3, 0).fit(x, 2 * y).predict(x)
    assert (found[:, 1] == 0).all()
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_seeds_and_threads() -> None:
    x, y = rows()
    one, same, other, threads = (
        TableModel(SMALL, 2, seed, threads=count).fit(x, y).predict(x)
        for seed, count in ((3, 1), (3, 1), (4, 1), (3, 2))
    )
    assert (one == same).all()
    assert (one == threads).all()
    assert (one != other).any()


def test_another_process_gives_the_same_digits() -> None:
    x, y = rows()
    done = subprocess.run([sys.executable, "-c", RING], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == repr(TableModel(SMALL, 2, 3).fit(x, y).predict(x)[:5, 1])


def test_the_weights_of_the_best_epoch_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = rows()
    given = Fitting(x.to_numpy(), y)
    seen: list[list[np.ndarray]] = []

    def together(found: Layers, _held: Fitting) -> float:
        seen.append([weight.copy() for weight, _ in found])
        return 1.0 if len(seen) == 3 else 2.0

    monkeypatch.setattr(side_by_side, "_together", together)
    kept = trained(given, Setting(2, 0, len(y)), {**DEFAULTS, **SMALL}, 1)
    assert len(seen) > 10
    assert all((weight == third).all() for (weight, _), third in zip(kept, seen[2], strict=True))
    assert any((weight != last).any() for (weight, _), last in zip(kept, seen[-1], strict=True))


def test_rows_that_count_nothing_change_nothing_but_the_order() -> None:
    """Wrong targets of weight 0 do no harm."""
    x, y = rows(600)
    wrong = y.copy()
    wrong[::2] = 1 - wrong[::2]
    counts = np.where(np.arange(600) % 2, 1.0, 0.0)
    found = TableModel(SMALL, 2, 0).fit(x, wrong, counts).predict(x)
    assert (found.argmax(axis=1) == y).mean() > 0.9
