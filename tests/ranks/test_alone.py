"""What exported code has in place of the ranks says the same as they do to one rank alone."""

from __future__ import annotations

import inspect

import pytest
import torch

from automl.ranks import alone, group, norms, sharing

FUNCTIONS = {
    "synchronising": sharing,
    "rows_of": sharing,
    "shared": sharing,
    "total": sharing,
    "uniform": sharing,
    "normal": sharing,
    "joint_moments": sharing,
    "normalised": norms,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_it_takes_the_same_arguments(name: str) -> None:
    one, other = (inspect.signature(vars(room)[name]) for room in (alone, FUNCTIONS[name]))
    assert list(one.parameters) == list(other.parameters)
    defaults = [[each.default for each in found.parameters.values()] for found in (one, other)]
    assert defaults[0] == defaults[1]


def test_it_draws_the_same_numbers() -> None:
    like = torch.zeros(5, 3, dtype=torch.float64)
    for name in ("uniform", "normal"):
        drawn = []
        for room in (alone, sharing):
            torch.manual_seed(3)
            drawn.append(vars(room)[name](like, 2, 1))
        assert torch.equal(*drawn) and drawn[0].dtype == drawn[1].dtype


def test_nothing_is_shared() -> None:
    for room in (alone, sharing):
        assert room.synchronising() is None and room.rows_of(100, 1) is None
        sums = room.shared(lambda x, w: x + w[0], torch.ones(3), [torch.ones(3)])
        assert sums.tolist() == [2, 2, 2]
        assert room.total([torch.ones(2)])[0].tolist() == [1, 1]


def test_statistics_are_those_of_all_rows() -> None:
    x = torch.randn(4, 3, 2, 2, dtype=torch.float64)
    own = sharing.Share(group.ALONE, 4, slice(0, 4), synchronised=True)
    for one, other in zip(alone.joint_moments(x, None), sharing.joint_moments(x, own), strict=True):
        assert torch.allclose(one, other)
    found = zip(alone.normalised(x, 1e-5, alone.Group()), norms.normalised(x, 1e-5, group.ALONE), strict=True)
    for one, other in found:
        assert torch.allclose(one, other)
