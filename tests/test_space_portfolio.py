"""Portfolios of spaces: by rows, in restricted spaces, as JSON, refused."""

from __future__ import annotations

import pytest

from automl.contracts import UserError
from automl.space import Choice, Float, Space

PLAIN = Space({"model": Choice(("a", "b")), "rate": Float(0.0, 1.0, when={"model": "b"})})
A, LOW, HIGH = {"model": "a"}, {"model": "b", "rate": 0.1}, {"model": "b", "rate": 0.9}
SPACE = PLAIN.with_portfolio({500: [HIGH, A], 0: [LOW, A]})


def test_the_list_with_the_largest_number_of_rows_that_is_reached() -> None:
    assert SPACE.portfolio.of(None) == SPACE.portfolio.of(499) == [LOW, A]
    assert SPACE.portfolio.of(500) == [HIGH, A]
    assert PLAIN.portfolio.of(500) == PLAIN.with_portfolio({500: [A]}).portfolio.of(3) == []


def test_a_restricted_space_keeps_what_is_valid_in_it() -> None:
    assert SPACE.fix({"model": "b"}).portfolio.of(None) == [LOW]
    assert SPACE.narrow({"rate": [0.5, 1.0]}).portfolio.lists == {0: [A], 500: [HIGH, A]}
    assert SPACE.fix({"model": "a"}).portfolio.lists == {0: [A], 500: [A]}


def test_it_is_written_only_where_there_is_one() -> None:
    """Else spaces without one would have other digests than before."""
    assert "portfolio" not in PLAIN.to_json()
    assert Space.from_json(SPACE.to_json()).portfolio.lists == SPACE.portfolio.lists
    assert SPACE.to_json()["portfolio"] == {"0": [LOW, A], "500": [HIGH, A]}


def test_a_list_cannot_be_changed_from_outside() -> None:
    SPACE.portfolio.of(0)[0]["model"] = "changed"
    assert SPACE.portfolio.of(0) == [LOW, A]


def test_wrong_portfolios_are_refused() -> None:
    with pytest.raises(UserError, match=r"'rate' must be given"):
        PLAIN.with_portfolio({0: [{"model": "b"}]})
    for least in (-1, 0.5, True):
        with pytest.raises(UserError, match="keys must be numbers of rows from 0"):
            PLAIN.with_portfolio({least: [A]})  # type: ignore[dict-item]
