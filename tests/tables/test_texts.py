"""Columns of texts become numbers: by their words, fitted on the rows that are fitted, saved without code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from automl.contracts import ReadColumn, TableReading, UserError
from automl.tables import saved
from automl.tables.model import TableModel, predicted, tidy
from automl.tables.texts import DIRECTIONS

RNG = np.random.default_rng(0)
ROWS, FIT = 600, 400
WORDS = np.array([f"word{number}" for number in range(300)])
Y = RNG.integers(0, 2, ROWS)
X = pd.DataFrame(
    {
        "n": RNG.normal(size=ROWS),
        "said": [
            " ".join([*RNG.choice(WORDS, 8), ("dreadful", "splendid")[label], *RNG.choice(WORDS, 3)])
            for label in Y
        ],
    }
)
FAST = {"forest_trees": 50, "boosting_rounds": 30, "mlp_width": 16}
FAMILIES = ("linear", "random_forest", "gradient_boosting", "lightgbm", "xgboost", "catboost", "mlp")


def fitted(family: str = "linear", rows: pd.DataFrame = X[:FIT], **config: object) -> TableModel:
    native = {"boosting_encoding": "native"} if "boost" in family or family == "lightgbm" else {}
    if family in saved.PACKAGES:
        pytest.importorskip(family)
    model = TableModel({"model": family, **FAST, **native, **config}, 2, 0, texts=("said",))
    return model.fit(rows, Y[: len(rows)])


def share_right(model: TableModel) -> float:
    return float((model.predict(X[FIT:]).argmax(1) == Y[FIT:]).mean())


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_what_words_alone_tell_is_learnt_and_saved(family: str, tmp_path: Path) -> None:
    """Chance is 50 %; of 200 rows, 65 % and more has p < 0.0001."""
    model = fitted(family)
    assert share_right(model) > 0.65
    reading = TableReading((ReadColumn("n", "number"), ReadColumn("said", "text")))
    saved.save(model, saved.Described(reading, ("no", "yes")), tmp_path)
    assert np.array_equal(predicted(saved.load(tmp_path)[0], X[FIT:], 2), model.predict(X[FIT:]))


def test_as_categories_the_same_words_tell_nothing() -> None:
    model = TableModel({"model": "linear"}, 2, 0).fit(X[:FIT], Y[:FIT])
    assert share_right(model) < 0.65 < 0.85 < share_right(fitted())


def test_parts_of_words_tell_too() -> None:
    other = X.assign(said=X["said"].str.replace("splendid", "splendidly").where(X.index % 2 == 0, X["said"]))
    model = fitted(rows=other[:FIT], text="characters")
    assert (model.predict(other[FIT:]).argmax(1) == Y[FIT:]).mean() > 0.95


@pytest.mark.slow
def test_rows_are_predicted_alike_alone_and_together() -> None:
    for text in ("words", "characters"):
        model = fitted("gradient_boosting", text=text)
        whole = model.predict(X)
        assert np.array_equal(np.concatenate([model.predict(X[:7]), model.predict(X[7:])]), whole)


def test_missing_empty_and_unknown_texts_are_predicted() -> None:
    rows = X[:FIT].copy()
    rows.loc[:20, "said"] = None
    new = pd.DataFrame({"n": [0.0] * 4, "said": [None, "", "ungehört 未知", "!?"]})
    found = fitted(rows=rows).predict(new)
    assert np.isfinite(found).all()
    assert np.array_equal(found[1], found[2]) and np.array_equal(found[1], found[3])


def test_only_rows_that_are_fitted_count() -> None:
    text = fitted().fitted[0].named_transformers_["text 0"]
    again = fitted(rows=X[:200]).fitted[0].named_transformers_["text 0"]
    assert not np.array_equal(text[1].idf_, again[1].idf_)
    direct = text.transform(tidy(X[:5])["said"])
    assert direct.shape == (5, DIRECTIONS)


def test_few_rows_have_few_directions() -> None:
    model = TableModel({"model": "linear"}, 2, 0, texts=("said",)).fit(X[:6], np.array([0, 1] * 3))
    assert model.fitted[0].named_transformers_["text 0"].transform(X["said"][:3]).shape == (3, 5)


def test_equal_seeds_give_equal_features() -> None:
    assert np.array_equal(fitted().predict(X[FIT:]), fitted().predict(X[FIT:]))


def test_another_way_is_refused() -> None:
    with pytest.raises(UserError, match="text must be one of words, characters, but got 'letters'"):
        fitted(text="letters")
