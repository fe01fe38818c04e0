from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from automl.contracts import EpisodeSpec, Split, Task
from automl.remembering.features import KIND, distance, meta_features


def task(x: Any, y: Any, *, classes: int, kind: str = "table", **more: Any) -> Task:
    split = Split(x, np.asarray(y))
    shape = tuple(x.shape[1:])
    return Task("t", kind, shape, classes, split, split, "digest", **more)


def table(rows: int, seed: int = 0, noise: float = 0.1) -> Task:
    rng = np.random.default_rng(seed)
    x = pd.DataFrame(rng.normal(size=(rows, 4)), columns=list("abcd"))
    wrong = rng.random(rows) < noise
    return task(x, ((x["a"] > 0) != wrong).astype(int), classes=2)


def test_values_of_a_hand_made_table() -> None:
    x = pd.DataFrame({"a": [0.0, 0.1, 5.0, 5.1] * 5, "b": ["u", None, "v", "v"] * 5})
    found = meta_features(task(x, [0, 0, 1, 1] * 5, classes=2))
    assert found[KIND] == "table, classes"
    assert found["rows"] == round(math.log10(20) / 7, 4)
    assert found["categorical"] == 0.5
    assert found["missing"] == 0.125
    assert found["majority"] == 0.5
    assert found["entropy"] == 1.0
    assert found["centroid"] == found["neighbour"] == 1.0


def test_all_are_between_0_and_1_whatever_the_data() -> None:
    rng = np.random.default_rng(1)
    odd = [
        task(pd.DataFrame({"a": [1.0] * 9}), [0] * 8 + [1], classes=2),
        task(pd.DataFrame({"a": [math.nan] * 6}), [0, 1] * 3, classes=2),
        task(pd.DataFrame({"a": [None, "x"] * 3}), [0.0] * 6, classes=0),
        task(pd.DataFrame({"a": [1.0, 2.0]}), [0, 1], classes=2),
        task(pd.DataFrame({"a": [1.0]}), [3.5], classes=0),
        task(pd.DataFrame(rng.normal(size=(3000, 300))), rng.normal(size=3000), classes=0),
        task(rng.normal(size=(40, 3, 8, 8)).astype(np.float32), [0, 1] * 20, classes=2, kind="image"),
        task(rng.normal(size=(40, 10, 1)), rng.normal(size=(40, 10)), classes=0, kind="functions"),
        task(rng.normal(size=(40, 1, 8, 8)), [0, 1] * 20, classes=2, kind="image", episodes=EpisodeSpec()),
    ]
    kinds = set()
    for one in odd:
        found = meta_features(one)
        kinds.add(found.pop(KIND))
        assert all(isinstance(value, float) and 0 <= value <= 1 for value in found.values()), found
    assert len(kinds) == 5


def test_grown_data_are_nearer_than_noisier_ones_and_those_than_others() -> None:
    base = meta_features(table(300))
    gaps = [
        distance(base, meta_features(other))
        for other in (table(300), table(330), table(300, noise=0.4), table(30_000, seed=2, noise=0.5))
    ]
    assert gaps[0] == 0
    assert gaps == sorted(gaps)
    assert None not in gaps


def test_other_kinds_have_no_distance_and_nothing_known_is_farthest() -> None:
    assert distance({KIND: "table, classes", "rows": 0.1}, {KIND: "table, numbers", "rows": 0.1}) is None
    assert distance({KIND: "benchmark"}, {KIND: "benchmark"}) == 1.0
    assert distance({KIND: "t", "rows": 0.1, "old": 1.0}, {KIND: "t", "rows": 0.3}) == pytest.approx(0.2)
