"""Perceptrons trained side by side: gradients, seeds, weights of rows, and the one that holds them."""

from __future__ import annotations

import itertools
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
from automl.tables.side_by_side import MEMBERS, loss_of, outputs_of, trained
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


def layers(*sizes: int, members: int = MEMBERS) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randn(members, narrow, wide, generator=generator, dtype=torch.float64, requires_grad=True),
            torch.randn(members, wide, generator=generator, dtype=torch.float64, requires_grad=True),
        )
        for narrow, wide in itertools.pairwise(sizes)
    ]


def rows(count: int = 300, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray]:
    """Inside or outside of a ring, which no line divides."""
    x = np.random.default_rng(seed).normal(size=(count, 2))
    return pd.DataFrame(x, columns=["a", "b"]), (np.hypot(*x.T) > 1.2).astype(int)


@pytest.mark.parametrize("sizes", [(3, 4, 1), (3, 5, 4, 2), (3, 2, 4, 3, 1)])
def test_the_one_perceptron_gives_the_mean_of_the_members(sizes: tuple[int, ...]) -> None:
    members = layers(*sizes)
    x = torch.randn(7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    weights, biases = packed([(w.detach().numpy(), b.detach().numpy()) for w, b in members], 5.0, 3.0)
    hidden = x.numpy()
    for place, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        hidden = (hidden if place == 0 else np.maximum(hidden, 0)) @ weight + bias
    mean = outputs_of(members, x).mean(dim=0).detach().numpy()
    np.testing.assert_allclose(hidden, 5 + 3 * mean, rtol=1e-12)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("kind", ["numbers", "classes"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_are_those_of_finite_differences(outputs: int, kind: str, weighted: bool) -> None:
    if kind == "numbers" and outputs > 1:
        return
    members = layers(2, 3, 4, outputs, members=2)
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(5, 2, dtype=torch.float64, generator=generator)
    y = (
        torch.randn(5, dtype=torch.float64, generator=generator)
        if kind == "numbers"
        else torch.arange(5) % max(2, outputs)
    )
    counts = torch.tensor([0.0, 1.0, 2.0, 0.5, 1.5], dtype=torch.float64) if weighted else None
    flat = [one for layer in members for one in layer]

    def loss(*given: torch.Tensor) -> torch.Tensor:
        again = list(zip(given[::2], given[1::2], strict=True))
        return loss_of(outputs_of(again, x), y, counts)

    assert torch.autograd.gradcheck(loss, flat)


def test_members_are_trained_by_their_own_losses() -> None:
    two, one = layers(2, 3, 1, members=2), layers(2, 3, 1, members=2)
    x, y = torch.randn(4, 2, dtype=torch.float64), torch.arange(4) % 2
    loss_of(outputs_of(two, x), y, None).backward()
    first = [(w[:1].detach().requires_grad_(), b[:1].detach().requires_grad_()) for w, b in one]
    loss_of(outputs_of(first, x), y, None).backward()
    for (weight, bias), (alone, its) in zip(two, first, strict=True):
        torch.testing.assert_close(weight.grad[:1], alone.grad)
        torch.testing.assert_close(bias.grad[:1], its.grad)


def test_dropout_keeps_the_mean_and_hits_every_unit() -> None:
    hidden = torch.zeros(8, 100, 65)
    kept = side_by_side._kept(hidden, 0.25, torch.Generator().manual_seed(0))
    assert kept.mean().item() == pytest.approx(1, abs=0.01)
    assert (kept == 0).float().mean(dim=(0, 1)).min() > 0.2
    assert sorted(kept.unique().tolist()) == pytest.approx([0, 4 / 3])


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

    def together(found: object, _held: Fitting) -> float:
        assert isinstance(found, list)
        seen.append([weight.detach().numpy().copy() for weight, _ in found])
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


def test_threads_of_torch_are_given_back() -> None:
    before = torch.get_num_threads()
    x, y = rows(40)
    TableModel(SMALL, 2, 0).fit(x, y)
    assert torch.get_num_threads() == before
