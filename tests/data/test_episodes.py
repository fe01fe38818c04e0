"""Episodes: disjoint support and query, shuffled labels, rotations, and the same fixed ones everywhere."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from automl.contracts import Episodes, EpisodeSpec, Split, UserError
from automl.data.episodes import EpisodeSampler

COUNTS = [4, 7, 5, 9, 6, 5]
NAMES = ("support_x", "support_y", "query_x", "query_y")


def split() -> Split:
    """Each image holds its class in one pixel and its number in another; classes of different sizes."""
    y = np.repeat(np.arange(len(COUNTS)), COUNTS)
    x = np.zeros((len(y), 1, 3, 3), np.float32)
    x[:, 0, 1, 1], x[:, 0, 0, 0] = y, np.arange(len(y)) + 1
    order = np.random.default_rng(0).permutation(len(y))
    return Split(x[order], y[order])


def sampler(seed: int = 0, **spec: int | bool) -> EpisodeSampler:
    chosen = EpisodeSpec(**{"ways": 3, "shots": 1, "queries": 3, **spec})  # type: ignore[arg-type]
    return EpisodeSampler(split(), chosen, seed=seed)


def equal(a: Episodes, b: Episodes) -> bool:
    return all(torch.equal(getattr(a, name), getattr(b, name)) for name in NAMES)


def test_support_and_query_share_classes_and_no_image() -> None:
    episodes = sampler(shots=2, queries=2).sample(200)
    assert episodes.support_x.shape == (200, 6, 1, 3, 3)
    assert episodes.query_y.shape == (200, 6)
    numbers = torch.cat([episodes.support_x, episodes.query_x], 1)[:, :, 0, 0, 0]
    assert all(len(set(row.tolist())) == 12 for row in numbers)
    for x, y in ((episodes.support_x, episodes.support_y), (episodes.query_x, episodes.query_y)):
        for task in range(200):
            classes = [set(x[task, y[task] == way, 0, 1, 1].tolist()) for way in range(3)]
            assert all(len(found) == 1 for found in classes)
            assert len(set.union(*classes)) == 3


def test_every_image_is_drawn_and_labels_are_shuffled() -> None:
    episodes = sampler().sample(600)
    assert len(episodes.query_x[:, :, 0, 0, 0].unique()) == sum(COUNTS)
    classes = episodes.support_x[:, :, 0, 1, 1].long()
    table = torch.zeros(len(COUNTS), 3)
    table.index_put_((classes.flatten(), episodes.support_y.flatten()), torch.ones(1800), accumulate=True)
    assert table.min() > 60  # 100 expected for each class and label


def test_turned_classes_are_classes_of_their_own() -> None:
    turned = sampler(rotations=True)
    assert turned.classes == 24
    corners = torch.tensor(
        [(0, 0), (2, 0), (2, 2), (0, 2)]
    )  # of the marked corner, quarter turns to the left
    episodes = turned.sample(300)
    marked = torch.stack([episodes.query_x[:, :, 0, row, column] for row, column in corners], -1) > 0
    assert (marked.sum(-1) == 1).all()
    turns = marked.int().argmax(-1).view(300, 3, 3)
    assert (turns == turns[..., :1]).all()  # one turn for all images of a way
    assert sorted(turns.unique().tolist()) == [0, 1, 2, 3]


def test_seeds() -> None:
    assert equal(sampler(1).sample(4), sampler(1).sample(4))
    assert not equal(sampler(1).sample(4), sampler(2).sample(4))
    first = sampler(1)
    first.sample(3)
    state = first.state()
    after = first.sample(2)
    first.set_state(state)
    assert equal(first.sample(2), after)


def test_fixed_episodes_depend_on_the_seed_alone() -> None:
    drawn = sampler(5)
    drawn.sample(7)
    together = [episode for batch in drawn.fixed(6, 4) for episode in batch.query_x]
    single = [episode for batch in sampler(5).fixed(9, 1) for episode in batch.query_x]
    assert all(torch.equal(a, b) for a, b in zip(together, single[:6], strict=True))
    other = next(sampler(5).fixed(6, 6, name="other"))
    assert not torch.equal(other.query_x, torch.stack(together))


@pytest.mark.slow
def test_another_process_draws_the_same() -> None:
    drawn = "next(sampler(9).fixed(5, 5)).query_x.sum()"
    code = f"from tests.data.test_episodes import sampler; print(float({drawn}))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(found.stdout) == float(next(sampler(9).fixed(5, 5)).query_x.sum())


def test_functions_give_different_points_of_one_function() -> None:
    x = np.random.default_rng(0).uniform(-1, 1, (50, 30, 1)).astype(np.float32)
    slopes = np.arange(50, dtype=np.float32)[:, None] + 1
    drawn = EpisodeSampler(
        Split(x, slopes * x[..., 0]), EpisodeSpec(0, 10, 15), kind="functions", seed=0
    ).sample(40)
    found = torch.cat([drawn.support_y / drawn.support_x[..., 0], drawn.query_y / drawn.query_x[..., 0]], 1)
    assert torch.allclose(found, found[:, :1].expand_as(found), atol=1e-3)
    assert all(len(row.unique()) == 25 for row in torch.cat([drawn.support_x, drawn.query_x], 1)[..., 0])
    assert drawn.ways == 0


def test_a_part_too_small_is_refused() -> None:
    with pytest.raises(UserError, match=r"shots \+ queries = 5 images, but one has 4"):
        sampler(shots=1, queries=4)
    with pytest.raises(UserError, match=r"ways \(7\), but one has 6"):
        sampler(ways=7)
