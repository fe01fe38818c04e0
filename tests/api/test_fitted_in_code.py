"""A table to a fitted model in Python: what goes in, what comes out, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import automl
from automl.api.rows import columns_of, frame_of, kept
from automl.cli.commands import app
from automl.contracts import RunError, UserError
from automl.ledger import Store

QUICK = (
    "space={name: tabular, fix: {model: gradient_boosting, boosting_rounds: 50, boosting_leaf: 5}}",
    "executor=local",
    "budget={trials: 1}",
)


def homes(dtype: str = "int") -> pd.DataFrame:
    size = np.random.default_rng(0).permutation(100).astype(float)
    frame = pd.DataFrame({"size": size, "town": np.where(np.arange(100) % 2, "Ulm", "Bonn")})
    frame["sold"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(100) % 9, "D")
    frame["dear"] = (size > 50).astype(dtype)
    return frame


def fitted(store: Store, data: Any, target: str = "dear", **keys: Any) -> automl.Fitted:
    given = {"store": store, "progress": "quiet", "overrides": QUICK, **keys}
    return automl.fit(data, target=target, minutes=1, **given)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["int", "bool"])
def test_classes_are_those_of_the_table(store: Store, dtype: str) -> None:
    frame = homes(dtype)
    model = fitted(store, frame)
    new = frame.drop(columns="dear").sort_values("size").iloc[[95, 3]]
    found = model.predict(new)
    assert found.tolist() == [True, False] and found.index.tolist() == new.index.tolist()
    assert [type(one) for one in model.classes or ()] == [type(frame["dear"].tolist()[0])] * 2
    shares = model.predict_proba(new[["town", "sold", "size"]])
    assert list(shares.columns) == [0, 1] and np.allclose(shares.sum(axis=1), 1)
    assert shares.iloc[0, 1] > 0.9
    with pytest.raises(UserError, match="intervals need numbers, but the target holds classes"):
        model.predict_interval(new)
    sets = model.predict_set(new, 0.8)
    assert list(sets.columns) == [0, 1] and sets.index.tolist() == new.index.tolist()
    assert sets.dtypes.eq(bool).all() and sets.to_numpy()[[0, 1], [1, 0]].all()
    assert "sets: 90 % sets hold " in str(model) and "interval 0.9" in str(model)
    board = model.leaderboard()
    assert board["model"].tolist() == ["gradient_boosting"] * 2 and set(board["arm"]) == {"random", "tpe"}
    assert board["validation"].is_monotonic_decreasing and board["test"].notna().all()
    assert "verdict" in str(model) and model.report().campaign == model.campaign.name == "table-1"


@pytest.mark.slow
def test_what_it_goes_by_and_from_which_probability_on(store: Store) -> None:
    frame = homes()
    model = fitted(store, frame, monotone={"size": "increasing"})
    shares = model.predict_proba(frame)[1]
    for one in (0.01, 0.5, 0.99):
        assert model.predict(frame, threshold=one).tolist() == (shares >= one).astype(int).tolist()
    with pytest.raises(UserError, match=r"must be a probability from 0 to 1 .* but got 1.5"):
        model.predict(frame, threshold=1.5)
    alike = frame.sort_values("size").assign(town="Ulm", sold=frame["sold"][0])
    assert (np.diff(model.predict_proba(alike)[1]) >= 0).all()
    found = model.explain(repeats=3, worst=2, curves=1)
    assert found.columns[0].column == "size" and len(found.worst) <= 2 and len(found.dependence) == 1
    assert "size" in str(found) and "<html" in found.html() and found.trial in repr(found)
    assert found.to_json() == model.explain(repeats=3, worst=2, curves=1).to_json()
    with pytest.raises(UserError, match="must be one of increasing, decreasing for a column, but size has 1"):
        fitted(store, frame, monotone={"size": 1})


@pytest.mark.slow
def test_what_a_model_needs_is_told_and_bounded(store: Store) -> None:
    model = fitted(store, homes(), infer_limit=10_000, size_limit="50MB")
    assert "must be at most 10" in str(model) and "model_size: " in str(model)
    needs = {one.metric: one for one in model.report().constraints}
    assert 0 < min(needs["latency"].winners.values()) < 10
    assert 1000 < min(needs["model_size"].winners.values()) < 50e6
    with pytest.raises(
        RunError,
        match=r"no model that keeps its constraints: .*; 2 trials broke model_size at most 100; allow more",
    ):
        fitted(store, homes(), size_limit=100)


@pytest.mark.slow
def test_rows_of_their_own_are_the_test(store: Store) -> None:
    frame = homes()
    model = fitted(store, frame.head(70), test=frame.tail(30))
    assert "on 30 rows that no search has seen" in str(model)
    with pytest.raises(UserError, match="both as paths of files or both as rows, but got DataFrame and str"):
        fitted(store, frame, test="held.csv")


@pytest.mark.slow
def test_the_same_call_returns_the_model(store: Store) -> None:
    model = fitted(store, homes())
    again = fitted(store, homes())
    assert repr(again) == repr(model) and len(automl.campaigns(store=store)) == 1


@pytest.mark.slow
def test_numbers_from_an_array_and_a_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(0).normal(size=100)
    rows = np.column_stack([x, np.arange(100.0) % 7, 3 * x + 0.5])
    model = fitted(store, rows, target="x2", name="lines")
    found = model.predict(rows[:, :2])
    assert model.classes is None and np.corrcoef(found, rows[:, 2])[0, 1] > 0.95
    with pytest.raises(UserError, match="probabilities need classes"):
        model.predict_proba(rows)
    path = tmp_path / "lines.csv"
    pd.DataFrame(rows, columns=["x0", "x1", "x2"]).to_csv(path, index=False)
    assert model.predict(path).tolist() == pytest.approx(found.tolist())
    ends = model.predict_interval(path, 0.8)
    assert ends["prediction"].tolist() == pytest.approx(found.tolist())
    assert (ends["lower"] < ends["prediction"]).all() and (ends["prediction"] < ends["upper"]).all()
    assert 0.7 < np.mean((ends["lower"] <= rows[:, 2]) & (rows[:, 2] <= ends["upper"])) <= 1
    with pytest.raises(
        UserError, match="needs the errors of 999 rows or more, but this model has those of 70"
    ):
        model.predict_interval(path, 0.999)
    searches = [one for arm in model.report().arms.values() for one in arm.searches]
    tested = [one.intervals for one in searches if one.intervals is not None]
    assert tested and all(0.5 < share <= 1 and width > 0 for share, width in tested)
    assert "intervals: 90 % intervals hold " in str(model) and "interval 0.9" in str(model)
    monkeypatch.setenv("AUTOML_STORE", str(store.folder))
    typed = ["predict", "lines", str(path), "-o", str(tmp_path / "p.csv"), "--interval", "0.8"]
    done = CliRunner().invoke(app, typed)
    assert (
        "note: intervals by the errors of 70 rows that folds held out, of one width; they hold for rows of"
        in (done.output.replace("\n", " "))
    )
    written = pd.read_csv(tmp_path / "p.csv")
    assert list(written.columns) == ["prediction", "lower", "upper"]
    assert np.allclose(written, ends)


def test_texts_that_look_like_numbers_are_categories(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"zip": ["10115", "80331"], "n": [1, 2], "kind": pd.Categorical([1, 2]), "t": ["a", "1"]}
    )
    assert columns_of(frame, None) == {"categorical": ["zip", "kind"]}
    assert columns_of(frame, "zip") == {"categorical": ["kind"]} and columns_of(frame[["n"]], None) == {}


def test_a_table_is_kept_once_for_its_user_alone(store: Store) -> None:
    path = kept(homes(), store, "homes")
    assert kept(homes(), store, "homes") == path and path.name == "homes.csv"
    assert path.stat().st_mode & 0o077 == 0 and path.parent.stat().st_mode & 0o077 == 0
    assert kept(homes().head(5), store, "homes") != path


class DataFrame:
    """What a DataFrame of polars offers, of which nothing else is asked."""

    columns = ("a", "b")

    def __getitem__(self, name: str) -> pd.Series:
        return {"a": pd.Series([1, 2]), "b": pd.Series(["x", None])}[name]


def test_what_rows_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DataFrame, "__module__", "polars.dataframe.frame")
    for given in (DataFrame(), {"a": [1, 2], "b": ["x", None]}):
        assert frame_of(given)["a"].tolist() == [1, 2]
    with pytest.raises(UserError, match=r"an array of two dimensions.* but got list"):
        frame_of([1, 2])
    with pytest.raises(UserError, match="a name of its own, but '1' is there more than once"):
        frame_of(pd.DataFrame([[1, 2]], columns=["1", 1]))


def test_a_target_must_be_named(store: Store) -> None:
    with pytest.raises(
        UserError, match="target must name a column of the table, but got None; its columns are"
    ):
        automl.fit(homes(), store=store)
    with pytest.raises(UserError, match="must be a known argument, but got 'minuets'"):
        automl.fit(homes(), target="dear", minuets=1)  # type: ignore[call-arg]
