"""Splits: disjoint, complete, stratified, seeded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from properties import examples

from automl.contracts import UserError
from automl.data.splits import split_rows


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
    parts = split_rows(y, len(counts), validation, test, seed)
    rows = np.concatenate([parts.train, parts.validation, parts.test])
    assert sorted(rows) == list(range(len(y)))
    for label, count in enumerate(counts):
        for part, fraction in ((parts.validation, validation), (parts.test, test)):
            assert abs(np.count_nonzero(y[part] == label) - count * fraction) <= 1
        assert np.count_nonzero(y[parts.train] == label) >= 1


def test_same_seed_equal_other_seed_different() -> None:
    y = np.arange(60) % 3
    a, b, c = (split_rows(y, 3, 0.2, 0.2, seed) for seed in (0, 0, 1))
    assert np.array_equal(a.test, b.test) and np.array_equal(a.validation, b.validation)
    assert not np.array_equal(a.test, c.test)


def test_numbers_are_split_without_classes() -> None:
    parts = split_rows(np.linspace(0, 1, 50), 0, 0.2, 0.3, 0)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (25, 10, 15)


def test_too_few_rows_of_a_class() -> None:
    with pytest.raises(UserError, match="class 1 has 2 rows for 3 parts; add rows"):
        split_rows(np.array([0] * 20 + [1] * 2), 2, 0.2, 0.2, 0)
    with pytest.raises(UserError, match="there are 2 rows for 3 parts"):
        split_rows(np.array([0.5, 1.5]), 0, 0.2, 0.2, 0)


@pytest.mark.parametrize(
    ("validation", "test"), [(0, 0.2), (0.5, 0.5), (0.2, -0.1), (1.0, 0), (float("nan"), 0.2)]
)
def test_impossible_fractions(validation: float, test: float) -> None:
    with pytest.raises(UserError, match=r"validation \+ test < 1 must hold, but got"):
        split_rows(np.arange(50) % 2, 2, validation, test, 0)
