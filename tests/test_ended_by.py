"""What ended code is known, whatever a library made of it."""

from __future__ import annotations

import numpy as np
import pytest

from automl.contracts import TrialStopped, causes, ended_by
from automl.tables.model import TableModel

STOPPED = TrialStopped("deadline")


def raised(first: BaseException, *then: BaseException) -> BaseException:
    """The last of them, each raised from the one before."""
    for error in then:
        error.__cause__, first = first, error
    return first


@pytest.mark.parametrize("then", [[], [ValueError()], [KeyError(), RuntimeError()]])
def test_the_end_of_a_trial_is_found_below_errors(then: list[Exception]) -> None:
    assert ended_by(raised(STOPPED, *then)) is STOPPED
    error = raised(ValueError("first"), *then)
    assert ended_by(error) is error


def test_an_error_with_words_is_more_than_an_exit() -> None:
    error = raised(SystemExit(2), ValueError("--lr must be a number"))
    assert ended_by(error) is error


def test_what_was_handled_on_the_way_is_no_cause() -> None:
    try:
        try:
            raise STOPPED
        except TrialStopped:
            raise ValueError("of its own")  # noqa: B904 - it is the context alone
    except ValueError as error:
        assert ended_by(error) is error


def test_causes_in_a_circle_end() -> None:
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    assert list(causes(first)) == [first, second] and ended_by(first) is first


def test_a_fit_raises_what_ended_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.linear_model import Ridge

    def fit(*_: object, **__: object) -> None:
        raise ValueError("no valid format") from STOPPED

    monkeypatch.setattr(Ridge, "fit", fit)
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a": np.arange(20.0)})
    with pytest.raises(TrialStopped, match="deadline"):
        TableModel({"model": "linear"}, 0, 0).fit(table, np.arange(20.0))
