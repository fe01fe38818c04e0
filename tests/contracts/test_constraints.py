"""Bounds of metrics: what breaks them, by how much, in words."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from automl.contracts import BROKEN, Bounds, broken, violations


@pytest.mark.parametrize(
    ("bounds", "value", "expected"),
    [
        ({"at_most": 200}, 300, 0.5),
        ({"at_most": 200}, 200, 0),
        ({"at_most": 200}, 100, -0.5),
        ({"at_least": 0.8}, 0.4, 0.5),
        ({"at_least": -2}, -3, 0.5),  # the size of a bound scales, whatever its sign
        ({"at_most": 0}, 3, 3),  # 0 has no size
        ({"at_least": 1, "at_most": 2}, 4, 1),
        ({"at_least": 1, "at_most": 2}, 0.5, 0.5),
        ({"at_least": 1, "at_most": 2}, 1.5, -0.25),
    ],
)
def test_a_violation_is_a_part_of_the_bound(bounds: dict[str, float], value: float, expected: float) -> None:
    assert Bounds(**bounds).violation(value) == pytest.approx(expected)


def test_it_says_what_is_broken_and_by_which_bound() -> None:
    bounds = {"size": Bounds(at_most=2_000_000), "f1": Bounds(at_least=0.8), "latency": Bounds(at_most=0.005)}
    assert violations(bounds, {"size": 3e6, "other": 1}) == {"size": 0.5}
    assert broken(bounds, {"size": 2e6, "f1": 0.8}) == ""
    assert broken(bounds, {"size": 2_000_001, "f1": 0.9, "latency": 0.02}) == (
        f"{BROKEN}: size is 2,000,001, but must be at most 2,000,000; "
        "latency is 0.02, but must be at most 0.005"
    )


def test_it_is_the_same_after_json_and_knows_no_other_keys() -> None:
    one = Bounds(at_least=0.5)
    assert one.model_dump() == {"at_least": 0.5}
    assert Bounds(**one.model_dump()) == one
    with pytest.raises(ValidationError):
        Bounds.model_validate({"at_mots": 1})
