"""Splits: disjoint, complete, stratified, seeded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from automl.contracts import SplitSpec, UserError
from automl.data.splits import Indices, Rows, split_rows


def split(
    y: np.ndarray, classes: int, validation: float, test: float, seed: int, **rows: np.ndarray
) -> Indices:
    labels = tuple(f"class {label}" for label in range(classes))
    return split_rows(Rows(y, labels, **rows), SplitSpec(validation=validation, test=test, seed=seed))


@settings(max_examples=examples(60))
@given(
    counts=st.lists(st.integers(12, 60), min_size=2, max_size=5),
    validation=st.floats(0.05, 0.4),
    test=st.sampled_from([0.0, 0.1, 0.25, 0.4]),
    seed=st.integers(0, 2**31 - 1),
)
def test_parts_are_disjoint_complete_and_stratified(
    counts: list[int], validation: float, test: float, seed: int
) -> None:
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    parts = split(y, len(counts), validation, test, seed)
    rows = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(rows) == list(range(len(y)))
    for label, count in enumerate(counts):
        for part, fraction in ((parts.validation, validation), (parts.test, test)):
            assert abs(np.count_nonzero(y[part] == label) - count * fraction) <= 1
        assert np.count_nonzero(y[parts.train] == label) >= 1


def test_same_seed_equal_other_seed_different() -> None:
    y = np.arange(60) % 3
    a, b, c = (split(y, 3, 0.2, 0.2, seed) for seed in (0, 0, 1))
    assert np.array_equal(a.test, b.test) and np.array_equal(a.validation, b.validation)
    assert not np.array_equal(a.test, c.test)


def test_numbers_are_split_without_classes() -> None:
    parts = split(np.linspace(0, 1, 50), 0, 0.2, 0.3, 0)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (25, 10, 15)


def test_too_few_rows_of_a_class() -> None:
    with pytest.raises(UserError, match=r"3 parts and 'class 1' \(2 rows\); add rows"):
        split(np.array([0] * 20 + [1] * 2), 2, 0.2, 0.2, 0)
    with pytest.raises(UserError, match="3 parts and there are 2 rows"):
        split(np.array([0.5, 1.5]), 0, 0.2, 0.2, 0)


def test_impossible_fractions() -> None:
    with pytest.raises(UserError, match=r"validation \+ test < 1 must hold, but got"):
        split(np.arange(50) % 2, 2, 0.5, 0.5, 0)


@settings(max_examples=examples(60))
@given(groups=st.integers(6, 40), classes=st.sampled_from([0, 2, 3]), seed=st.integers(0, 1000))
def test_groups_stay_whole(groups: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    group = rng.permutation(np.repeat(np.arange(groups), rng.integers(3, 12, groups)))
    y = rng.integers(0, classes, len(group)) if classes else rng.normal(size=len(group))
    parts = split(y, classes, 0.2, 0.2, seed, groups=group)
    assert sorted(np.concatenate([parts.train, parts.validation, parts.test])) == list(range(len(y)))
    sets = [set(group[rows]) for rows in (parts.train, parts.validation, parts.test)]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    assert all(len(rows) for rows in sets) and len(parts.train) > len(y) / 3


def test_groups_keep_the_shares_of_rows_and_classes() -> None:
    group = np.repeat(np.arange(100), 5)
    y = (group % 4 == 0).astype(int)
    parts = split(y, 2, 0.2, 0.3, 0, groups=group)
    sizes = [len(rows) for rows in (parts.train, parts.validation, parts.test)]
    assert sizes == pytest.approx([250, 100, 150], abs=5)
    assert y[parts.test].mean() == pytest.approx(0.25, abs=0.02)


def test_too_few_groups() -> None:
    y, two = np.arange(40) % 2, np.repeat([0, 1], 20)
    with pytest.raises(UserError, match="gets none: there are too few groups or times"):
        split(y, 2, 0.2, 0.2, 0, groups=two)
    with pytest.raises(UserError, match=r"training must see every class, but 'class 1' \(5 rows\)"):
        split((np.arange(60) >= 55).astype(int), 2, 0.2, 0.2, 0, order=np.arange(60.0))


def test_in_time_the_last_rows_are_sealed_and_equal_times_stay_together() -> None:
    order = np.random.default_rng(0).permutation(np.repeat(np.arange(30.0), 4))
    parts = split(np.zeros(120), 0, 0.2, 0.3, 0, order=order)
    times = [order[rows] for rows in (parts.train, parts.validation, parts.test)]
    assert times[0].max() < times[1].min() and times[1].max() < times[2].min()
    assert [len(part) for part in times] == [60, 24, 36]
    assert all((np.diff(part) >= 0).all() for part in times)
    without = split(np.zeros(120), 0, 0.2, 0.0, 0, order=order)
    assert (len(without.train), len(without.validation), len(without.test)) == (96, 24, 0)
